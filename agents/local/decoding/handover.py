"""Let a larger model take over where a smaller one reflects: one reply, two engines.

"Speculative Thinking", arXiv 2504.12329.  The smaller model writes up to the end of a paragraph,
and then a draft of the next piece; what the draft says decides who writes that piece.  Kept as in
the released code: words, sizes of pieces, and when checks come.  Its other details are ours: ends
of paragraphs inside of a piece are passed over, an end token of either model ends the reply, and
the i-th token of a reply is drawn with the i-th number of its seed's stream, whoever writes it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from agents.local.drafts import GenerationResult, Job, TokenRecord
from agents.local.measures import reply_measures
from arena.decoding import SpeculativeThinking
from arena.reflection import PARAGRAPH, classify, verifies

Generate = Callable[[Job], Awaitable[GenerationResult]]


@dataclass(slots=True)
class Piece:
    """Tokens of a reply, and the result in which a model has drawn them, if one has."""

    ids: tuple[int, ...]
    result: GenerationResult | None = None


@dataclass(slots=True)
class Reply:
    """A reply in the making; sums are over tokens that a model has drawn."""

    ids: list[int] = field(default_factory=list)
    records: list[TokenRecord] = field(default_factory=list)
    entropy: float = 0.0
    certainty: float = 0.0
    finish: str | None = None
    work: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("handed_over_tokens", "handovers", "checks", "dropped_tokens", "paragraphs"), 0
        )
    )
    # Of the smaller and of the larger model: tokens of prompts that were read, others that rows
    # held, and steps.
    prefilled: list[int] = field(default_factory=lambda: [0, 0])
    reused: list[int] = field(default_factory=lambda: [0, 0])
    steps: list[int] = field(default_factory=lambda: [0, 0])


SMALLER, LARGER = 0, 1


class Handover:
    """A reply to a job by two models, which are asked through their engines.

    `decode` turns tokens into text, `check` are the tokens with which a check begins.
    """

    def __init__(
        self,
        way: SpeculativeThinking,
        job: Job,
        smaller: Generate,
        larger: Generate,
        decode: Callable[[Sequence[int]], str],
        check: tuple[int, ...],
    ) -> None:
        self._way = way
        self._job = job
        self._models = (smaller, larger)
        self._decode = decode
        self._check = check
        self._reply = Reply()

    async def write(self) -> GenerationResult:
        """Return the reply; the measures say who wrote how much of it."""
        way, reply = self._way, self._reply
        negatives = 0
        most_negative = way.most_negative
        check_tokens = way.check_tokens
        if way.every and way.first_tokens:
            self._take(LARGER, await self._draft(LARGER, way.first_tokens))
        while reply.finish is None:
            paragraph = await self._draft(SMALLER, self._job.max_tokens, PARAGRAPH)
            self._take(SMALLER, paragraph)
            if reply.finish is not None:
                break
            reply.work["paragraphs"] += 1
            if negatives >= most_negative:
                reply.work["checks"] += 1
                self._take(LARGER, Piece(self._check))
                if reply.finish is None:
                    self._take(LARGER, await self._draft(LARGER, check_tokens))
                negatives = 0
                most_negative = min(most_negative + way.negative_step, way.negative_limit)
                check_tokens = min(check_tokens + way.check_step, way.check_limit)
                continue
            negatives += await self._write_piece() < 0
        return self._result()

    async def _write_piece(self) -> int:
        """Write the piece after an end of a paragraph; return what its draft was (`classify`)."""
        way, reply = self._way, self._reply
        draft = await self._draft(SMALLER, way.piece)
        kind = classify(self._decode(draft.ids))
        taken, who = draft, SMALLER
        if kind or way.every:
            reply.work["handovers"] += 1
            reply.work["dropped_tokens"] += len(draft.ids)
            taken, who = await self._draft(LARGER, way.piece), LARGER
        self._take(who, taken)
        if reply.finish is None and verifies(self._decode(taken.ids)):
            self._take(LARGER, await self._draft(LARGER, way.check_tokens))
        return kind

    async def _draft(self, who: int, tokens: int, *ends: str) -> Piece:
        """Let a model go on for at most so many tokens, or up to one of some texts."""
        job, reply = self._job, self._reply
        room = job.max_tokens - len(reply.ids)
        result = await self._models[who](
            replace(
                job,
                ids=(*job.ids, *reply.ids),
                max_tokens=min(tokens, room),
                stop=(*job.stop, *ends),
                alternatives=job.alternatives or 0,
                begun=len(reply.ids),
            )
        )
        reply.prefilled[who] += result.prefilled
        reply.reused[who] += result.reused
        reply.steps[who] += result.steps
        return Piece(result.ids, result)

    def _take(self, who: int, piece: Piece) -> None:
        """Add a piece to the reply, and find out whether it ends with it."""
        job, reply = self._job, self._reply
        ids = piece.ids[: job.max_tokens - len(reply.ids)]
        reply.ids += ids
        if who == LARGER:
            reply.work["handed_over_tokens"] += len(ids)
        if piece.result is not None and ids:
            count = len(ids)
            reply.records += piece.result.records
            reply.entropy += piece.result.measures["entropy_mean"] * count
            reply.certainty += piece.result.measures["self_certainty_mean"] * count
        # A stop word may lie in two pieces.
        text = self._decode(reply.ids) if job.stop else ""
        if (ids and ids[-1] in job.end_ids) or any(word in text for word in job.stop):
            reply.finish = "stop"
        elif len(reply.ids) >= job.max_tokens:
            reply.finish = "length"

    def _result(self) -> GenerationResult:
        reply = self._reply
        logprobs = np.array([record.logprob for record in reply.records], np.float32)
        measures = reply_measures(logprobs, reply.entropy, reply.certainty)
        measures |= {name: float(count) for name, count in reply.work.items()}
        for who, name in ((SMALLER, "forward_tokens"), (LARGER, "forward_tokens_larger")):
            measures[name] = float(reply.prefilled[who] + reply.steps[who])
        return GenerationResult(
            tuple(reply.ids),
            reply.finish or "length",
            sum(reply.prefilled),
            reply.reused[SMALLER],
            sum(reply.steps),
            measures,
            tuple(reply.records) if self._job.alternatives is not None else (),
        )
