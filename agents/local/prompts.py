"""Turn messages into token ids, and generated ids into text.

A span of text that the model itself generated goes in as the tokens that it generated, up to the
point from which the text differs from them.  Text that is decoded and tokenized again is often cut
otherwise, and then the tokens that a row of the cache holds would no longer be a prefix.

Control words (such as `<|im_end|>` or `</think>`: whatever the tokenizer turns into one added
token) in the text of a message are taken apart, so that no model can speak in the name of another.
What a message says is looked for in the prompt: a template that loses words is not used.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from logging import getLogger

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from agents.local.configured import template_arguments
from arena.errors import RefusedError
from arena.text import writable
from arena.types import GeneratedSpan, Message, Request

# Marks a place in a message while the chat template is applied.  Both characters are of a private
# use area: Unicode gives them no meaning.
MARK = re.compile("\ue0f0(\\d+)\ue0f1")
# Tokens before generated ones that are decoded with them.
CONTEXT = 8
# The day that chat templates are told, always the same: a prompt that depends on the clock would
# give other replies the next day, also in the middle of a study.
PROMPT_DATE = datetime(2026, 1, 1, 12)
# In a prompt's tokens the place of a soft thought, and the character that holds it in a message.
THOUGHT = -1
THOUGHT_MARK = "\ue0f2"
ASKS_FOR_DATE = re.compile(r"strftime_now|date_string")
# transformers gives templates a clock, and lets nobody pass another one: calls of it are replaced.
READS_CLOCK = re.compile(r"""strftime_now\(\s*(?P<quote>['"])(?P<format>[^'"]*)(?P=quote)\s*\)""")
LOG = getLogger("arena.local")
Content = str | list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of text that is tokenized by itself; `ids` are its tokens if they are known."""

    text: str
    ids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """The tokens of a reply that is begun; `stored` of them are those which were generated."""

    ids: tuple[int, ...]
    stored: int


class ChatTokenizer:
    """A tokenizer with its chat template."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self._special_ids = frozenset(tokenizer.all_special_ids)
        added = {index: token.content for index, token in tokenizer.added_tokens_decoder.items()}
        # Runs of spaces are added tokens of some tokenizers, and control nothing.
        control = {index: word for index, word in added.items() if word.strip()}
        self._control_ids = frozenset(control) | self._special_ids
        words = {*control.values(), *tokenizer.all_special_tokens}
        # Longest first: of two words that begin alike the regular expression takes the first.
        longest = sorted((word for word in words if len(word) > 1), key=len, reverse=True)
        self._control_words = re.compile("|".join(map(re.escape, longest)) or r"(?!)")
        self._prefix = beginning_tokens(tokenizer)
        template = tokenizer.chat_template
        template = template.get("default", "") if isinstance(template, dict) else template or ""
        self._template = READS_CLOCK.sub(
            lambda call: f"{call['quote']}{PROMPT_DATE:{call['format']}}{call['quote']}", template
        )
        # The day that the template is told, None if it asks for none.
        self.date = f"{PROMPT_DATE:%Y-%m-%d}" if ASKS_FOR_DATE.search(template) else None
        if "strftime_now(" in self._template:
            LOG.warning("the chat template reads the clock: prompts differ from day to day")
        # Some tokenizers put a space before every text, so that pieces cannot be joined.
        apart = self.decode([*self._encode("a"), *self._encode("b")])
        self._pieces_add_up = apart == self.decode(self._encode("ab"))

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False).input_ids if text else []

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of tokens, without special ones and places of soft thoughts."""
        text: str = self.tokenizer.decode(
            [token for token in ids if token >= 0],
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
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

    def ids(self, request: Request, served: str, thoughts: int = 0) -> tuple[int, ...]:
        """Return the tokens of a request's messages.

        A last message of the assistant is a prefill: it is begun and not ended.  `served` is the
        name of this model, whose generated spans go in as tokens.  Behind the last message of a
        user stand the places of so many soft `thoughts`.  Raises RefusedError if they cannot.
        """
        pieces, begun = self._pieces(request, served, thoughts)
        ids = tuple(self._tokens([*pieces, *begun]))
        if ids.count(THOUGHT) != thoughts:
            raise RefusedError(
                f"the chat template of {served} leaves no place for soft thoughts behind a message"
                " of a user: take another model, or a prompt with such a message",
                sent=False,
            )
        return ids

    def parts(self, request: Request, served: str) -> tuple[tuple[int, ...], Begun]:
        """Return the tokens of a prompt, and those of the reply that is its prefill.

        A reply that this model generated and that stands there whole keeps the token that ended it.
        """
        pieces, begun = self._pieces(request, served)
        ids = self._tokens(begun)
        stored = sum(len(piece.ids or ()) for piece in begun)
        last = len(request.messages) - 1
        for span in request.generated_spans:
            is_whole = span.message == last and span.end == len(request.messages[-1].content)
            if is_whole and span.model == served and begun and begun[-1].ids:
                text = request.messages[-1].content[span.start :]
                rest = span.token_ids[len(self.matching_prefix(span.token_ids, text)[0]) :]
                if len(rest) == 1 and rest[0] in self._special_ids:
                    ids, stored = [*ids, *rest], stored + 1
        return tuple(self._tokens(pieces)), Begun(tuple(ids), stored)

    def token_span(
        self, before: Sequence[int], ids: Sequence[int], start: int, end: int
    ) -> tuple[int, int] | None:
        """Return [first, last) of the tokens that hold characters [start, end) of a text.

        `ids` are its tokens, and come after the tokens `before`; None if no token holds them.
        """

        def tokens_with(length: int) -> int:
            """Return the fewest tokens whose text has more than `length` characters."""
            reach = range(len(ids) + 1)
            return bisect_right(
                reach, length, key=lambda count: len(self.decode_after(before, ids[:count]))
            )

        if not 0 <= start < end or tokens_with(end - 1) > len(ids):
            return None
        return tokens_with(start) - 1, tokens_with(end - 1)

    def _tokens(self, pieces: Sequence[Stretch]) -> list[int]:
        return [
            token
            for piece in pieces
            for token in (self._encode(piece.text) if piece.ids is None else piece.ids)
        ]

    def _pieces(
        self, request: Request, served: str, thoughts: int = 0
    ) -> tuple[list[Stretch], list[Stretch]]:
        """Return the prompt of a request and its prefill, in pieces."""
        messages = [Message(turn.role, writable(turn.content)) for turn in request.messages]
        has_prefill = messages[-1].role == "assistant"
        conversation = messages[:-1] if has_prefill else messages
        spans: list[GeneratedSpan] = []
        if self._pieces_add_up:
            spans = [span for span in request.generated_spans if span.model == served]
        stretches = [[*self._stretches(n, turn, spans)] for n, turn in enumerate(messages)]
        asked = [n for n, turn in enumerate(conversation) if turn.role == "user"]
        if thoughts and asked:
            last = conversation[asked[-1]]
            stretches[asked[-1]].append(Stretch(THOUGHT_MARK, (THOUGHT,) * thoughts))
            conversation[asked[-1]] = Message("user", last.content + THOUGHT_MARK)
        arguments = template_arguments(request.sampling) or {}
        pieces = self._render(conversation, stretches[: len(conversation)], arguments)
        # A chat template writes the token that begins a text; plain text needs it from here.
        if pieces[:1] and pieces[0].ids is None and not self._template:
            pieces = [Stretch("", tuple(self._prefix)), *pieces]
        return pieces, stretches[-1] if has_prefill else []

    def _stretches(
        self, number: int, message: Message, spans: Sequence[GeneratedSpan]
    ) -> Iterator[Stretch]:
        """Yield a message in pieces: generated spans as tokens, and the text between them."""
        done = 0
        for span in (span for span in spans if span.message == number):
            yield from self._split_control(message.content[done : span.start])
            ids, text = self.matching_prefix(span.token_ids, message.content[span.start : span.end])
            if ids:
                yield Stretch(text, ids)
            done = span.start + len(text)
        yield from self._split_control(message.content[done:])

    def _split_control(self, text: str) -> Iterator[Stretch]:
        """Yield a text cut after the first character of every control word in it."""
        # Tokenized apart, neither half is the control token.
        done = 0
        while (cut := self._control_at(text, done)) is not None:
            yield Stretch(text[done : cut + 1])
            done = cut + 1
        if done < len(text):
            yield Stretch(text[done:])

    def _control_at(self, text: str, start: int) -> int | None:
        """Return the place of the first control word from `start` on, None if there is none."""
        match = self._control_words.search(text, start)
        if match is not None:
            return match.start()
        # A tokenizer may change the text before it looks for its words: small letters, or other
        # forms of a character.
        normalizer = getattr(getattr(self.tokenizer, "_tokenizer", None), "normalizer", None)
        rest = text[start:]
        if normalizer is None or not self._control_ids & set(self._encode(rest)):
            return None
        coded = self.tokenizer(rest, add_special_tokens=False, return_offsets_mapping=True)
        spans = zip(coded.input_ids, coded.offset_mapping, strict=True)
        places = (span for index, span in spans if index in self._control_ids)
        return next((start + low for low, high in places if high - low > 1), None)

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
        self,
        messages: Sequence[Message],
        stretches: Sequence[Sequence[Stretch]],
        arguments: Mapping[str, object],
    ) -> list[Stretch]:
        """Return the messages under the chat template, in pieces.

        The template is applied to messages of numbered marks, which are replaced by the stretches.
        """
        plain = self._apply_template([message.content for message in messages], messages, arguments)
        if all(len(pieces) <= 1 and not (pieces and pieces[0].ids) for pieces in stretches):
            return [Stretch(plain)]
        flat = [stretch for pieces in stretches for stretch in pieces]
        numbers = iter(range(len(flat)))
        marked = ["".join(f"\ue0f0{next(numbers)}\ue0f1" for _ in pieces) for pieces in stretches]
        parts = MARK.split(self._apply_template(marked, messages, arguments))
        # Every other part is the number of a stretch.
        rendered = [flat[int(part)] if odd % 2 else Stretch(part) for odd, part in enumerate(parts)]
        if "".join(piece.text for piece in rendered) == plain:
            return [piece for piece in rendered if piece.text]
        # The template changes its messages in a way that marks hide, such as trimming spaces: it
        # gets the text itself.
        # A space of no width takes a control word apart.
        harmless = [
            "\u200b".join(piece.text for piece in self._split_control(message.content))
            for message in messages
        ]
        return [Stretch(self._apply_template(harmless, messages, arguments))]

    def _apply_template(
        self,
        contents: Sequence[str],
        messages: Sequence[Message],
        arguments: Mapping[str, object],
    ) -> str:
        """Return the conversation as the model reads it, up to the beginning of its reply.

        Of the ways to give it to the template, the first that keeps every word: as it is, with
        the system message before the first message of the user (some models know none), and both
        with contents in parts.  Raises RefusedError if words are lost in all of them.
        """
        if not self._template:
            return "\n\n".join(contents) + "\n\n"
        turns = [
            (message.role, content) for message, content in zip(messages, contents, strict=True)
        ]
        ways = [turns]
        if turns[0][0] == "system" and len(turns) > 1:
            role, content = turns[1]
            ways.append([(role, f"{turns[0][1]}\n\n{content}"), *turns[2:]])
        fault: TemplateError | None = None
        for in_parts in (False, True):
            for way in ways:
                try:
                    text = self._chat(way, arguments, in_parts=in_parts)
                except TemplateError as error:
                    fault = fault or error
                    continue
                if all(content.strip() in text for content in contents):
                    return text
        why = f"it fails ({fault})" if fault else "it loses words of the system or user message"
        raise RefusedError(
            f"the chat template of this model cannot be used: {why}; take a model with a complete"
            " template, or an agent without a system message",
            sent=False,
        )

    def _chat(
        self,
        turns: Sequence[tuple[str, str]],
        arguments: Mapping[str, object],
        *,
        in_parts: bool,
    ) -> str:
        """Return the conversation under the chat template, on the day that all prompts are told."""
        conversation: list[dict[str, Content]] = [
            {"role": role, "content": [{"type": "text", "text": text}] if in_parts else text}
            for role, text in turns
        ]
        text: str = self.tokenizer.apply_chat_template(
            conversation,
            chat_template=self._template,
            tokenize=False,
            add_generation_prompt=True,
            **{"date_string": f"{PROMPT_DATE:%d %b %Y}", **arguments},
        )
        return text


def beginning_tokens(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the tokens that a tokenizer puts before a text, without those that it puts after it.

    A prompt is gone on with, so that the token which ends texts must not stand at its end.
    """
    plain = tokenizer("a", add_special_tokens=False).input_ids
    whole = tokenizer("a", add_special_tokens=True).input_ids
    for place in range(len(whole) - len(plain) + 1):
        if whole[place : place + len(plain)] == plain:
            return list(whole[:place])
    return []
