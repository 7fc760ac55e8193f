"""What every protocol must obey, whatever it is about; each law is checked by playing.

    order       the same episode has the same transcript however long the models take
    crash       stopped at any call and continued, it has the same transcript, and no stored reply is asked for again
    privacy     nobody's private thoughts stand in a request to somebody else
    silence     a reply in which nothing can be read gives NULL with a reason, never an error; where nobody's can, there is no answer
    mirror      both sides of a debate get the same words with the sides swapped
    gold        nobody is told the answer to a question

With the transcript, the answers that a protocol gives are compared.  The agents of the lineup answer by the request's seed or place, so that a
repeated request has the same reply.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from arena.errors import StoreError
from arena.play.run import Arena, RunSelection
from arena.store.database import QueryResult
from arena.studies.study import Arm, Options, Protocol, Study
from arena.types import Agent, BaseModel, Model, Reply, Request, Subject

TRANSCRIPT = "select episode, seat, step, phase, text, reask_text, public, thoughts, confidence, answer, request_hash from turns order by all"
ANSWERS = (
    "select episode, seat, stage, answer, correct, confidence, final from answers order by all"
)
UNREADABLE = "…"
GOLD = "gold-7f3a9c"
MIRRORED = (("proposition", "opposition"), ("argue for", "argue against"))


class BrokenLawError(AssertionError):
    """A protocol does not obey a law; the message says which and where."""


class PowerCutError(StoreError):
    """What the law `crash` raises in a model: it stops the run and leaves the episode open."""


@dataclass
class ObservedModel(BaseModel):
    """A model that answers as another does, after `before(request)`; it notes what it was asked.  It goes by the other's name."""

    model: Model
    before: Callable[[Request], Awaitable[str | None]]
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.capabilities, self.simulated = self.model.capabilities, self.model.simulated

    @property
    def name(self) -> str:
        """The other's name, so that the episode's id is the same."""
        return self.model.name

    async def __call__(self, request: Request) -> Reply:
        """Note the request, let `before` wait, stop or answer, and otherwise pass it on."""
        self.requests.append(request)
        instead = await self.before(request)
        return await self.model(request) if instead is None else Reply(instead)


@dataclass(frozen=True)
class PlayResult:
    """What came of a play: its turns, and the answers that the protocol gave."""

    turns: QueryResult
    answers: QueryResult


@dataclass(frozen=True)
class Case:
    """A protocol with everything that is needed to play it once."""

    protocol: Protocol
    lineup: Mapping[str, Agent]
    subject: Subject
    options: Options
    folder: Path

    def play(
        self, store: str, before: Callable[[Request], Awaitable[str | None]]
    ) -> tuple[list[Request], PlayResult]:
        """Play, or continue, in the store of this name; returns the requests of this run in order, and what came of it."""
        asked: list[Request] = []
        lineup = {
            seat: replace(agent, model=ObservedModel(agent.model, before, asked))
            for seat, agent in self.lineup.items()
        }
        study = Study("laws", [Arm("law", self.protocol, [lineup], self.options)], [self.subject])
        arena = Arena(self.folder / f"{store}.duckdb")
        summary = arena.run(
            study, selection=RunSelection(retry_failed=True), watch=lambda tally: None
        )
        if summary.failed:
            raise BrokenLawError(
                f"{store}: the episode failed: {arena.sql('select error_kind, error from episodes').rows[0]}"
            )
        answers = arena.sql(ANSWERS) if self.subject.kind == "question" else QueryResult((), ())
        return asked, PlayResult(arena.sql(TRANSCRIPT), answers)


async def answer_at_once(request: Request) -> None:
    """Let the model answer without delay."""


def check(
    protocol: Protocol,
    lineup: Mapping[str, Agent],
    subject: Subject,
    folder: Path | str,
    *,
    options: Options | None = None,
) -> None:
    """Play the protocol in `folder`, which must be empty, in every way that a law asks for.  Raises LawBroken at the first that is broken."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    if any(place.glob("*.duckdb")):
        raise ValueError(f"{place} holds stores already; name an empty folder")
    case = Case(protocol, lineup, subject, options or {}, place)
    asked, played = case.play("plain", answer_at_once)
    if not asked:
        raise BrokenLawError("the protocol asked nothing")
    check_order(case, played)
    check_crash(case, asked, played)
    check_privacy(asked, played)
    check_silence(case, played)
    if subject.gold is not None and not subject.choices:
        check_gold(case)
    if (
        set(lineup) == {"proposition", "opposition"}
        and (options or {}).get("schedule", "simultaneous") == "simultaneous"
    ):
        check_mirror(case)


def check_order(case: Case, played: PlayResult) -> None:
    """The law of order, under two shuffles of latencies."""
    for shuffle in (1, 2):
        draw = random.Random(shuffle)

        async def late(request: Request, draw: random.Random = draw) -> None:
            """Answer after a random time."""
            await asyncio.sleep(draw.uniform(0, 0.01))

        if case.play(f"order{shuffle}", late)[1] != played:
            raise BrokenLawError("order: the transcript depends on which reply comes first")


def check_crash(case: Case, asked: list[Request], played: PlayResult) -> None:
    """The law of crash, at each call."""
    for cut in range(len(asked)):
        count = iter(range(len(asked) + 1))

        async def cut_off(request: Request, count: object = count, cut: int = cut) -> None:
            """Stop the run at the call in question."""
            if next(count) == cut:  # type: ignore[call-overload]
                raise PowerCutError(f"cut at call {cut}")

        stopped = 0
        try:
            case.play(f"crash{cut}", cut_off)
        except PowerCutError:
            stored = (
                Arena(case.folder / f"crash{cut}.duckdb")
                .sql("select count(*) from calls where status = 'ok'")
                .rows[0][0]
            )
            stopped = int(stored)
        again, continued = case.play(f"crash{cut}", answer_at_once)
        if continued != played:
            raise BrokenLawError(f"crash: cut at call {cut} and continued, the transcript differs")
        if len(again) != len(asked) - stopped:
            raise BrokenLawError(
                f"crash: cut at call {cut}, {stopped} of {len(asked)} replies were stored, but {len(again)} were asked for"
            )


def check_privacy(asked: list[Request], played: PlayResult) -> None:
    """The law of privacy, on everything that was asked."""
    for turn in played.turns.dicts():
        if not turn["thoughts"]:
            continue
        for request in asked:
            if request.place.seat != turn["seat"] and any(
                turn["thoughts"] in message.content for message in request.messages
            ):
                raise BrokenLawError(
                    f"privacy: the thoughts of {turn['seat']} ({turn['phase']}) were sent to {request.place.seat}"
                )


def check_silence(case: Case, played: PlayResult) -> None:
    """The law of silence: nobody says anything that can be read, then one seat after the other, also those that the protocol made itself."""
    everybody = sorted({*case.lineup, *(turn["seat"] for turn in played.turns.dicts())})
    for silenced in ([], *([seat] for seat in everybody)):

        async def silent(request: Request, silenced: list[str] = silenced) -> str | None:
            """Nothing readable from this seat, or from any."""
            return UNREADABLE if request.place.seat in (silenced or everybody) else None

        _, without = case.play(f"silence-{'-'.join(silenced) or 'of all'}", silent)
        for turn in without.turns.dicts():
            if turn["seat"] in (silenced or everybody) and (turn["confidence"], turn["answer"]) != (
                None,
                None,
            ):
                raise BrokenLawError(
                    f"silence: {turn['answer']!r} ({turn['confidence']}) was read out of {UNREADABLE!r} of {turn['seat']}"
                )
        for given in without.answers.dicts():
            if not silenced and (given["answer"], given["correct"], given["confidence"]) != (
                None,
                None,
                None,
            ):
                raise BrokenLawError(
                    f"silence: nobody said anything, but {given['seat']} is given the answer {given['answer']!r}"
                )


def check_gold(case: Case) -> None:
    """The law of gold: with another answer as the right one, nobody reads it."""
    asked, _ = replace(case, subject=replace(case.subject, gold=GOLD)).play("gold", answer_at_once)
    for request in asked:
        if any(GOLD in message.content for message in request.messages):
            raise BrokenLawError(
                f"gold: {request.place.seat} was told the answer in its step {request.place.step}"
            )


def check_mirror(case: Case) -> None:
    """The law of the mirror: with the same words from both sides, their prompts are each other's with the sides swapped."""

    async def same_words(request: Request) -> str:
        """The same reply from both sides."""
        return f"<thoughts>mine</thoughts><speech>words of the {request.place.phase}</speech><rating>60</rating>"

    asked, _ = case.play("mirror", same_words)
    by_place = {
        (request.place.seat, request.place.step, request.place.ask): request.messages[-1].content
        for request in asked
    }
    for (seat, step, ask), words in by_place.items():
        if seat == "proposition" and sort_lines(swap_sides(words)) != sort_lines(
            by_place["opposition", step, ask]
        ):
            raise BrokenLawError(f"mirror: the prompts of step {step} treat the sides differently")


def swap_sides(words: str) -> str:
    """The text with the sides swapped."""
    for one, other in MIRRORED:
        words = other.join(part.replace(other, one) for part in words.split(one))
    return words


def sort_lines(words: str) -> list[str]:
    """The lines in a fixed order, since a phase lists the proposition first for both readers."""
    return sorted(words.lower().splitlines())
