"""From messages to token ids, and from generated ids to text.

A stretch that the model itself generated goes in as the very tokens, as far as the text still begins like what they say: what is decoded and
cut into tokens again is often cut otherwise, and a kept prefix would no longer fit.  Words of a chat template that stand in what somebody
said (`<|im_end|>`, for example) are taken apart, so that no model can speak in the name of another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from arena.text import writable
from arena.types import GeneratedSpan, Message, Request

# Marks a place in a message while the chat template is applied; these two characters have no meaning in Unicode.
MARK = re.compile("\ue0f0(\\d+)\ue0f1")
CONTEXT = 8


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a message that is cut into tokens by itself: `ids` where its tokens are known."""

    text: str
    ids: tuple[int, ...] | None = None


class ChatTokenizer:
    """A tokenizer with its chat template, as the engine's messages need it."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self._special = tuple(
            sorted(
                (word for word in tokenizer.all_special_tokens if len(word) > 1),
                key=len,
                reverse=True,
            )
        )
        self._silent = frozenset(tokenizer.all_special_ids)
        self._pieces_add_up = self.decode([*self._encode("a"), *self._encode("b")]) == self.decode(
            self._encode("ab")
        )

    def _encode(self, text: str, *, begin: bool = False) -> list[int]:
        return self.tokenizer(text, add_special_tokens=begin).input_ids if text else []

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, without special ones."""
        return self.tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    def decode_after(self, before: Sequence[int], ids: Sequence[int]) -> str:
        """The text that tokens add to what stands before them: some tokenizers drop a space where a text begins."""
        context = list(before[-CONTEXT:])
        head = self.decode(context)
        whole = self.decode([*context, *ids])
        return whole[len(head) :] if whole.startswith(head) else self.decode(ids)

    def ids(self, request: Request, served: str) -> tuple[int, ...]:
        """The tokens of a request's messages; a last assistant message is begun and not ended.  `served` is the name of this model."""
        messages = [
            Message(message.role, writable(message.content)) for message in request.messages
        ]
        *history, last = messages
        begun = [last] if last.role == "assistant" else []
        said = [*history] if begun else [*history, last]
        spoken = (
            [one for one in request.generated_spans if one.model == served]
            if self._pieces_add_up
            else []
        )
        stretches = [
            list(self._stretches(number, message, spoken))
            for number, message in enumerate(messages)
        ]
        pieces = self._render(said, stretches[: len(said)])
        if begun:
            pieces += stretches[-1]
        first = pieces[0].ids is None and not self.tokenizer.chat_template
        return tuple(
            token
            for number, piece in enumerate(pieces)
            for token in (
                piece.ids
                if piece.ids is not None
                else self._encode(piece.text, begin=first and number == 0)
            )
        )

    def _stretches(
        self, number: int, message: Message, spoken: Sequence[GeneratedSpan]
    ) -> Iterator[Stretch]:
        """A message in pieces: stretches whose tokens are known, and the text between them, cut inside of special words."""
        at = 0
        for one in (one for one in spoken if one.message == number):
            yield from self._split_special(message.content[at : one.start])
            ids, text = self.matching_prefix(one.token_ids, message.content[one.start : one.end])
            if ids:
                yield Stretch(text, ids)
            at = one.start + len(text)
        yield from self._split_special(message.content[at:])

    def _split_special(self, text: str) -> Iterator[Stretch]:
        at = 0
        for word in (
            re.finditer("|".join(map(re.escape, self._special)), text) if self._special else ()
        ):
            yield Stretch(text[at : word.start() + 1])
            at = word.start() + 1
        if at < len(text):
            yield Stretch(text[at:])

    def matching_prefix(self, ids: Sequence[int], text: str) -> tuple[tuple[int, ...], str]:
        """The longest beginning of the tokens that says a beginning of the text, and what it says."""
        low, high = 0, len(ids)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (
                (middle, high) if len(self.decode(ids[:middle])) <= len(text) else (low, middle - 1)
            )
        while low and not text.startswith(self.decode(ids[:low])):
            low -= 1
        # The token that ended the reply says nothing, and would end it again.
        while low and ids[low - 1] in self._silent:
            low -= 1
        return tuple(ids[:low]), self.decode(ids[:low])

    def _render(
        self, messages: Sequence[Message], stretches: Sequence[Sequence[Stretch]]
    ) -> list[Stretch]:
        """The messages under the chat template, in pieces."""
        plain = self._apply_template([message.content for message in messages], messages)
        if all(len(of_one) <= 1 and not (of_one and of_one[0].ids) for of_one in stretches):
            return [Stretch(plain)]
        flat = [stretch for of_one in stretches for stretch in of_one]
        numbers = iter(range(len(flat)))
        marked = ["".join(f"\ue0f0{next(numbers)}\ue0f1" for _ in of_one) for of_one in stretches]
        parts = MARK.split(self._apply_template(marked, messages))
        # Every other part is the number of a stretch.
        pieces = [flat[int(part)] if odd % 2 else Stretch(part) for odd, part in enumerate(parts)]
        if "".join(piece.text for piece in pieces) == plain:
            return [piece for piece in pieces if piece.text]
        # The template does something to its messages that the marks hide, such as cutting spaces: it gets the words themselves.
        harmless = [self._escape_special(message.content) for message in messages]
        return [Stretch(self._apply_template(harmless, messages))]

    def _escape_special(self, text: str) -> str:
        for word in self._special:
            text = text.replace(word, word[0] + "\u200b" + word[1:])
        return text

    def _apply_template(self, contents: Sequence[str], messages: Sequence[Message]) -> str:
        """The conversation as the model is to read it, up to where its reply begins."""
        if not self.tokenizer.chat_template:
            return "\n\n".join(contents) + "\n\n"
        turns = [
            {"role": message.role, "content": content}
            for message, content in zip(messages, contents, strict=True)
        ]
        try:
            return self.tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True
            )
        except TemplateError:
            # Some models know no system message.
            if turns[0]["role"] != "system" or len(turns) < 2:
                raise
            turns[1]["content"] = f"{turns[0]['content']}\n\n{turns[1]['content']}"
            return self.tokenizer.apply_chat_template(
                turns[1:], tokenize=False, add_generation_prompt=True
            )
