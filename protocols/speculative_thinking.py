"""Let a larger model take over where a smaller one reflects: over servers, by continuing a reply.

"Speculative Thinking: Enhancing Small-Model Reasoning with Large Model Guidance at Inference Time",
Wang Yang et al., arXiv 2504.12329.

Kept: words of reflection, checking and decision, which piece they hand over, how many tokens the
larger model writes, and the checks after many paragraphs that reflect.  Different: models on
servers are asked for pieces of a reply that they continue ("prefill"), so that the end of a
paragraph is seen at the end of the piece that holds it, and each piece is a call that sends all
before it.  Two local models of one family do it at the paragraph itself, in one call a reply:
`Sampling(decoding=SpeculativeThinking(...))` (docs/decoding.md).  Ours: a thought that has not
ended at `limit` is made to answer, as in LeaP, and it is the smaller model that answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from annotated_types import Ge

from arena.errors import ProtocolError
from arena.play.episode import Episode
from arena.play.prompt import verbatim
from arena.private import reveal
from arena.reflection import CHECK, PARAGRAPH, classify, verifies
from arena.types import Answer, Seat, Subject, Turn
from protocols import asking, leap, leap_wordings
from protocols.routing import PathState, Piece

VERSION = "1"

Count = Annotated[int, Ge(1)]


@dataclass
class Thought:
    """A thought of two models: its pieces as they were taken, and sentences between them."""

    pieces: list[str | Turn] = field(default_factory=list)
    tokens: int = 0
    finished: bool = False

    def shown_to(self, seat: Seat) -> list[Piece]:
        """Return the thought as a seat continues it: what it wrote itself, it sees as it wrote."""
        return [
            verbatim(piece) if isinstance(piece, Turn) and piece.seat == seat.name else piece
            for piece in self.pieces
        ]


async def speculative_thinking(
    episode: Episode,
    question: Subject,
    smaller: Seat,
    larger: Seat,
    *,
    limit: Count = 4096,
    piece: Count = 20,
    most_negative: Count = 15,
    negative_step: Annotated[int, Ge(0)] = 5,
    negative_limit: Count = 30,
    check_tokens: Count = 125,
    check_step: Annotated[int, Ge(0)] = 25,
    check_limit: Count = 200,
    every: bool = False,
    first_tokens: Annotated[int, Ge(0)] = 100,
    answer_tokens: Count = 256,
    opens: str = "",
    closes: str = "</think>",
) -> Answer:
    """Return the answer at the end of a thought of at most `limit` tokens.

    The settings are those of arena.decoding.SpeculativeThinking; `opens` and `closes` are the marks
    of a thought, as in leap.  Raises ProtocolError unless both models can continue a reply.
    """
    for seat in (smaller, larger):
        if "prefill" not in seat.agent.model.capabilities:
            raise ProtocolError(
                f"{seat.agent.model.name} cannot continue a reply, which both models of speculative"
                " thinking do: use local models, or servers with prefill"
            )
    task = leap.task_text(question, leap_wordings.PLAIN)
    thought = Thought([opens] if opens else [])
    negatives, checked = 0, check_tokens
    begins = False

    async def ask(seat: Seat, phase: str, tokens: int) -> Turn:
        own = seat.agent.sampling
        sampling = replace(
            own, max_tokens=min(tokens, limit - thought.tokens), stop=(*own.stop, closes)
        )
        return await episode.ask(
            seat, task, phase=phase, prefill=thought.shown_to(seat), sampling=sampling
        )

    def take(turn: Turn, tokens: int) -> None:
        thought.pieces.append(turn)
        thought.tokens += tokens
        # Nothing more comes from a model that wrote nothing, whatever it says.
        thought.finished = turn.finish_reason != "length" or not reveal(turn.text)

    if every and first_tokens:
        take(await ask(larger, "begin", first_tokens), first_tokens)
        begins = ends_paragraph(thought.pieces)
    while not thought.finished and thought.tokens < limit:
        if begins and negatives >= most_negative:
            thought.pieces.append(CHECK)
            take(await ask(larger, "check", checked), checked)
            negatives = 0
            most_negative = min(most_negative + negative_step, negative_limit)
            checked = min(checked + check_step, check_limit)
            begins = ends_paragraph(thought.pieces)
            continue
        turn = await ask(smaller, "draft" if begins else "think", piece)
        kind = classify(reveal(turn.text)) if begins else 0
        negatives += kind < 0
        if kind or (begins and every):
            turn = await ask(larger, "take over", piece)
        take(turn, piece)
        checks = begins and not thought.finished and thought.tokens < limit
        if checks and verifies(reveal(turn.text)):
            take(await ask(larger, "verify", check_tokens), check_tokens)
        begins = ends_paragraph(thought.pieces)
    path = PathState(0, smaller, thought.shown_to(smaller))
    path.finished = thought.finished
    last = replace(smaller.agent.sampling, max_tokens=answer_tokens)
    end = await leap.answer_of_path(episode, task, question, path, last, closes)
    return replace(end, final=True)


def ends_paragraph(pieces: Sequence[str | Turn]) -> bool:
    """Return whether a paragraph ends in the last piece."""
    last = pieces[-1] if pieces else ""
    return PARAGRAPH in (reveal(last.text) if isinstance(last, Turn) else last)


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make at most `calls` calls: a draft and its other, or an answer.

    A piece takes two calls where it is handed over, and three where it is checked.  Raises
    StudyError below four.
    """
    asking.check_calls(calls, 4, "speculative_thinking drafts, hands over, checks and answers")
    return {"limit": 20 * ((calls - 1) // 3), "check_tokens": 20, "check_limit": 20}
