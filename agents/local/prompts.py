"""Turn messages into token ids, and generated ids into text.

A span of text that the model itself generated goes in as the tokens that it generated, up to the
point from which the text differs from them.  Text that is decoded and tokenized again is often cut
otherwise, and then the tokens that a row of the cache holds would no longer be a prefix.

Special words of a chat template (such as `<|im_end|>`) in the text of a message are taken apart,
so that no model can speak in the name of another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from arena.text import writable
from arena.types import GeneratedSpan, Message, Request

# Marks a place in a message while the chat template is applied.  Both characters are of a private
# use area: Unicode gives them no meaning.
MARK = re.compile("\ue0f0(\\d+)\ue0f1")
# Tokens before generated ones that are decoded with them.
CONTEXT = 8


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of text that is tokenized by itself; `ids` are its tokens if they are known."""

    text: str
    ids: tuple[int, ...] | None = None


class ChatTokenizer:
    """A tokenizer with its chat template."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        special = [word for word in tokenizer.all_special_tokens if len(word) > 1]
        self._special = sorted(special, key=len, reverse=True)
        self._special_ids = frozenset(tokenizer.all_special_ids)
        # Some tokenizers put a space before every text, so that pieces cannot be joined.
        apart = self.decode([*self._encode("a"), *self._encode("b")])
        self._pieces_add_up = apart == self.decode(self._encode("ab"))

    def _encode(self, text: str, *, begin: bool = False) -> list[int]:
        return self.tokenizer(text, add_special_tokens=begin).input_ids if text else []

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of tokens, without special ones."""
        text: str = self.tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def decode_after(self, before: Sequence[int], ids: Sequence[int]) -> str:
        """Return the text that tokens add to the tokens before them.

        Decoded alone, they would lose a space with tokenizers that drop one at the beginning.
        """
        context = list(before[-CONTEXT:])
        head = self.decode(context)
        whole = self.decode([*context, *ids])
        return whole[len(head) :] if whole.startswith(head) else self.decode(ids)

    def ids(self, request: Request, served: str) -> tuple[int, ...]:
        """Return the tokens of a request's messages.

        A last message of the assistant is a prefill: it is begun and not ended.  `served` is the
        name of this model, whose generated spans go in as tokens.
        """
        messages = [Message(turn.role, writable(turn.content)) for turn in request.messages]
        has_prefill = messages[-1].role == "assistant"
        conversation = messages[:-1] if has_prefill else messages
        spans: list[GeneratedSpan] = []
        if self._pieces_add_up:
            spans = [span for span in request.generated_spans if span.model == served]
        stretches = [[*self._stretches(n, turn, spans)] for n, turn in enumerate(messages)]
        pieces = self._render(conversation, stretches[: len(conversation)])
        if has_prefill:
            pieces += stretches[-1]
        # A chat template writes the token that begins a text; plain text needs it from here.
        first = pieces[0].ids is None and not self.tokenizer.chat_template
        tokens: list[int] = []
        for number, piece in enumerate(pieces):
            begin = first and number == 0
            tokens += self._encode(piece.text, begin=begin) if piece.ids is None else piece.ids
        return tuple(tokens)

    def _stretches(
        self, number: int, message: Message, spans: Sequence[GeneratedSpan]
    ) -> Iterator[Stretch]:
        """Yield a message in pieces: generated spans as tokens, and the text between them."""
        done = 0
        for span in (span for span in spans if span.message == number):
            yield from self._split_special(message.content[done : span.start])
            ids, text = self.matching_prefix(span.token_ids, message.content[span.start : span.end])
            if ids:
                yield Stretch(text, ids)
            done = span.start + len(text)
        yield from self._split_special(message.content[done:])

    def _split_special(self, text: str) -> Iterator[Stretch]:
        """Yield a text cut after the first character of every special word in it."""
        # Tokenized apart, neither half is the special token.
        done = 0
        pattern = "|".join(map(re.escape, self._special))
        for word in re.finditer(pattern, text) if self._special else ():
            yield Stretch(text[done : word.start() + 1])
            done = word.start() + 1
        if done < len(text):
            yield Stretch(text[done:])

    def matching_prefix(self, ids: Sequence[int], text: str) -> tuple[tuple[int, ...], str]:
        """Return the longest prefix of tokens whose text is a prefix of `text`, and its text."""
        # By bisection the most tokens whose text is no longer than `text`, then back to a match:
        # decoding every prefix would take quadratic time.
        count = 0
        high = len(ids)
        while count < high:
            middle = (count + high + 1) // 2
            if len(self.decode(ids[:middle])) <= len(text):
                count = middle
            else:
                high = middle - 1
        while count and not text.startswith(self.decode(ids[:count])):
            count -= 1
        # The special token that ended the reply has no text, and would end it again.
        while count and ids[count - 1] in self._special_ids:
            count -= 1
        return tuple(ids[:count]), self.decode(ids[:count])

    def _render(
        self, messages: Sequence[Message], stretches: Sequence[Sequence[Stretch]]
    ) -> list[Stretch]:
        """Return the messages under the chat template, in pieces.

        The template is applied to messages of numbered marks, which are replaced by the stretches.
        """
        plain = self._apply_template([message.content for message in messages], messages)
        if all(len(pieces) <= 1 and not (pieces and pieces[0].ids) for pieces in stretches):
            return [Stretch(plain)]
        flat = [stretch for pieces in stretches for stretch in pieces]
        numbers = iter(range(len(flat)))
        marked = ["".join(f"\ue0f0{next(numbers)}\ue0f1" for _ in pieces) for pieces in stretches]
        parts = MARK.split(self._apply_template(marked, messages))
        # Every other part is the number of a stretch.
        rendered = [flat[int(part)] if odd % 2 else Stretch(part) for odd, part in enumerate(parts)]
        if "".join(piece.text for piece in rendered) == plain:
            return [piece for piece in rendered if piece.text]
        # The template changes its messages in a way that marks hide, such as trimming spaces: it
        # gets the text itself.
        harmless = [self._escape_special(message.content) for message in messages]
        return [Stretch(self._apply_template(harmless, messages))]

    def _escape_special(self, text: str) -> str:
        # A space of no width takes a special word apart.
        for word in self._special:
            text = text.replace(word, word[0] + "\u200b" + word[1:])
        return text

    def _apply_template(self, contents: Sequence[str], messages: Sequence[Message]) -> str:
        """Return the conversation as the model reads it, up to the beginning of its reply."""
        if not self.tokenizer.chat_template:
            return "\n\n".join(contents) + "\n\n"
        turns = [
            {"role": message.role, "content": content}
            for message, content in zip(messages, contents, strict=True)
        ]
        try:
            return self._chat(turns)
        except TemplateError:
            # Some models know no system message: it goes before the first message of the user.
            if turns[0]["role"] != "system" or len(turns) < 2:
                raise
            turns[1]["content"] = f"{turns[0]['content']}\n\n{turns[1]['content']}"
            return self._chat(turns[1:])

    def _chat(self, turns: list[dict[str, str]]) -> str:
        text: str = self.tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True
        )
        return text
