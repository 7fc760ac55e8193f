"""Check what every protocol must obey, whatever it is about; each law is checked by playing.

    order       the same episode has the same transcript however long the models take
    crash       stopped at any call and continued, it has the same transcript, and no stored reply
                is asked for again
    privacy     nobody's private thoughts stand in a request to somebody else
    silence     a reply in which nothing can be read gives NULL with a reason, never an error;
                where nobody's can be read, there is no answer
    mirror      both sides of a debate get the same words with the sides swapped
    gold        nobody is told the answer to a question

Transcripts are compared together with the answers that a protocol returns.  Everything is played
in memory.  The agents of the lineup answer by the request's seed or place, so that a repeated
request has the same reply.
"""

from __future__ import annotations

import asyncio
import random
import warnings
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from arena.errors import StoreError
from arena.play.memory import MemoryJournal, play_in_memory
from arena.play.sync import run_blocking
from arena.studies.lineups import Lineup, map_agents
from arena.studies.study import Arm, Options, Protocol, Study, plays
from arena.types import BaseModel, Model, Reply, Request, Subject

MOTION = Subject("This house would test every protocol.")
# Times, costs and attempts may differ between two plays; these columns may not.
TRANSCRIPT = (
    *("episode", "seat", "step", "phase", "text", "reask_text", "public", "thoughts"),
    *("confidence", "answer", "request_hash"),
)
ANSWERS = ("episode", "seat", "stage", "answer", "correct", "confidence", "final")
UNREADABLE = "…"
# No model writes this by chance, so that finding it in a request proves a leak.
GOLD = "gold-7f3a9c"
MIRRORED = (("proposition", "opposition"), ("argue for", "argue against"))

Before = Callable[[Request], Awaitable[str | None]]
Rows = tuple[Mapping[str, Any], ...]


class BrokenLawError(AssertionError):
    """A protocol does not obey a law; the message says which and where."""


class PowerCutError(StoreError):
    """The error by which the law `crash` stops a run and leaves the episode open."""


@dataclass
class ObservedModel(BaseModel):
    """A model that answers as another does, under its name, after `before(request)`.

    It notes its requests; a text that `before` returns is the reply instead.
    """

    model: Model
    before: Before
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.capabilities = self.model.capabilities
        self.simulated = self.model.simulated

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
    """A play's turns, and the answers that the protocol returned, as rows of the record."""

    turns: Rows
    answers: Rows


@dataclass(frozen=True)
class Case:
    """A protocol with everything that is needed to play it once."""

    protocol: Protocol
    lineup: Lineup
    subject: Subject
    options: Options

    def play(
        self, law: str, before: Before, journal: MemoryJournal | None = None
    ) -> tuple[list[Request], PlayResult]:
        """Play, or continue what a journal holds.

        Returns the requests of this run in order, and the result.  Raises BrokenLawError where the
        episode fails.
        """
        journal = MemoryJournal() if journal is None else journal
        requests: list[Request] = []
        lineup = map_agents(
            self.lineup,
            lambda agent: replace(agent, model=ObservedModel(agent.model, before, requests)),
        )
        arm = Arm("law", self.protocol, [lineup], self.options)
        # One arm, one lineup and one subject are one play.
        (play,) = plays(Study("laws", [arm], [self.subject]))
        run_blocking(lambda: play_in_memory(play, journal))
        (status,) = journal.rows("statuses")
        if status["status"] != "done":
            reason = f"{status['error_kind']}: {status['error']}"
            raise BrokenLawError(f"{law}: the episode failed: {reason}")
        turns = select(journal.rows("turns"), TRANSCRIPT)
        return requests, PlayResult(turns, select(journal.rows("answers"), ANSWERS))


def select(rows: list[Mapping[str, Any]], columns: tuple[str, ...]) -> Rows:
    """Return some columns of rows."""
    return tuple({name: row[name] for name in columns} for row in rows)


async def answer_at_once(request: Request) -> None:
    """Let the model answer without delay."""


def check(
    protocol: Protocol,
    lineup: Lineup,
    subject: Subject = MOTION,
    folder: object = None,
    *,
    options: Options | None = None,
) -> None:
    """Play a protocol in memory in every way that a law asks for.

    `subject` is a motion, a question or a stored debate, as the protocol takes them.  Raises
    BrokenLawError at the first law that is broken.  `folder`, in which version 0.1.0 played, is no
    longer used.
    """
    if folder is not None:
        warnings.warn("laws.check plays in memory: leave `folder` out", DeprecationWarning, 2)
    case = Case(protocol, lineup, subject, options or {})
    requests, result = case.play("plain", answer_at_once)
    if not requests:
        raise BrokenLawError("the protocol asked nothing")
    check_order(case, result)
    check_crash(case, requests, result)
    check_privacy(requests, result)
    check_silence(case, result)
    if subject.gold is not None and not subject.choices:
        check_gold(case)
    simultaneous = case.options.get("schedule", "simultaneous") == "simultaneous"
    if set(lineup) == {"proposition", "opposition"} and simultaneous:
        check_mirror(case)


def check_order(case: Case, result: PlayResult) -> None:
    """Check the law of order, under two shuffles of latencies."""
    for shuffle in (1, 2):
        draw = random.Random(shuffle)

        # Defaults bind the loop's variables now; a closure would read their last values.
        async def late(request: Request, draw: random.Random = draw) -> None:
            """Answer after a random time."""
            await asyncio.sleep(draw.uniform(0, 0.01))

        if case.play("order", late)[1] != result:
            raise BrokenLawError("order: the transcript depends on which reply comes first")


def check_crash(case: Case, requests: list[Request], result: PlayResult) -> None:
    """Check the law of crash, at each call."""
    for cut in range(len(requests)):
        journal = MemoryJournal()
        remaining = [cut]

        async def cut_off(
            request: Request, remaining: list[int] = remaining, cut: int = cut
        ) -> None:
            """Stop the run at the call in question."""
            remaining[0] -= 1
            if remaining[0] == -1:
                raise PowerCutError(f"cut at call {cut}")

        # Replies that arrive in the same moment as the cut may be stored or not, so that they are
        # counted in the journal and not by position.
        stored = 0
        try:
            case.play("crash", cut_off, journal)
        except PowerCutError:
            stored = sum(call["status"] == "ok" for call in journal.rows("call_ends"))
        again, continued = case.play("crash", answer_at_once, journal)
        if continued != result:
            raise BrokenLawError(f"crash: cut at call {cut} and continued, the transcript differs")
        if len(again) != len(requests) - stored:
            raise BrokenLawError(
                f"crash: cut at call {cut}, {stored} of {len(requests)} replies were stored, but"
                f" {len(again)} were asked for"
            )


def check_privacy(requests: list[Request], result: PlayResult) -> None:
    """Check the law of privacy, on everything that was asked."""
    authors = {(turn["seat"], turn["thoughts"]) for turn in result.turns}
    for turn in result.turns:
        thoughts = turn["thoughts"]
        if not thoughts:
            continue
        for request in requests:
            # A substring search over whole messages: it finds a leak whatever the protocol wraps it
            # in.
            others = request.place.seat != turn["seat"]
            # Two seats may think the same words; to its own author they may be shown.
            mine = (request.place.seat, thoughts) in authors
            if (
                others
                and not mine
                and any(thoughts in message.content for message in request.messages)
            ):
                raise BrokenLawError(
                    f"privacy: the thoughts of {turn['seat']} ({turn['phase']}) were sent to"
                    f" {request.place.seat}"
                )


def check_silence(case: Case, result: PlayResult) -> None:
    """Check the law of silence: first with nobody readable, then with one seat after the other.

    The seats that the protocol itself made are among them.
    """
    # The seats of the full play: with seats silenced, others may never be asked.
    everybody = sorted({turn["seat"] for turn in result.turns})
    for silenced in (everybody, *([seat] for seat in everybody)):

        async def silent(request: Request, silenced: list[str] = silenced) -> str | None:
            """Say nothing readable from these seats."""
            return UNREADABLE if request.place.seat in silenced else None

        _, without = case.play("silence", silent)
        for turn in without.turns:
            unread = (turn["confidence"], turn["answer"]) == (None, None)
            if turn["seat"] in silenced and not unread:
                raise BrokenLawError(
                    f"silence: {turn['answer']!r} ({turn['confidence']}) was read out of"
                    f" {UNREADABLE!r} of {turn['seat']}"
                )
        for answer in without.answers if silenced == everybody else ():
            if (answer["answer"], answer["correct"], answer["confidence"]) != (None, None, None):
                raise BrokenLawError(
                    f"silence: nobody said anything, but {answer['seat']} is given the answer"
                    f" {answer['answer']!r}"
                )


def check_gold(case: Case) -> None:
    """Check the law of gold: with another answer as the right one, nobody reads it."""
    # Another gold, not the true one: the true answer may well be in an honest reply.
    told = replace(case, subject=replace(case.subject, gold=GOLD))
    requests, _ = told.play("gold", answer_at_once)
    for request in requests:
        if any(GOLD in message.content for message in request.messages):
            place = request.place
            raise BrokenLawError(f"gold: {place.seat} was told the answer in its step {place.step}")


def check_mirror(case: Case) -> None:
    """Check the law of the mirror: with the same words from both sides, prompts are mirrored."""

    async def same_words(request: Request) -> str:
        """Reply the same from both sides."""
        words = f"words of the {request.place.phase}"
        return f"<thoughts>mine</thoughts><speech>{words}</speech><rating>60</rating>"

    requests, _ = case.play("mirror", same_words)
    prompts = {
        (request.place.seat, request.place.step, request.place.ask): request.messages[-1].content
        for request in requests
    }
    for (seat, step, ask), prompt in prompts.items():
        if seat != "proposition":
            continue
        # Step by step, since both sides ask in the same order when they speak at once.
        if sort_lines(swap_sides(prompt)) != sort_lines(prompts["opposition", step, ask]):
            raise BrokenLawError(f"mirror: the prompts of step {step} treat the sides differently")


def swap_sides(words: str) -> str:
    """Return the text with the sides swapped."""
    for one, other in MIRRORED:
        # Split at the first name, replace within the parts, join by the second: a plain double
        # replacement would turn every name into one.
        words = other.join(part.replace(other, one) for part in words.split(one))
    return words


def sort_lines(words: str) -> list[str]:
    """Return the lines in a fixed order: a phase lists the proposition first for both readers."""
    return sorted(words.lower().splitlines())
