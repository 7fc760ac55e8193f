"""Ask a seat aside: a question after one of its turns, from its own view, shown to nobody.

    aside(study, ask="winning")                     after every turn of every seat
    aside(study, at=["closing"], ask="winning")     after its closing speech alone
    aside(study, ask="How strong was it?")          in words of your own

An aside is a play of its own, whose memo hangs on the turn: the columns `parent`, `parent_seat` and
`parent_step` of its row in `episodes` say which.  The seat is shown what it was shown for that
turn, in the same messages, and its own raw reply; then it is asked.  Nobody is shown what it says,
itself included: a play with asides is equal to the byte to one without, and a finished play can be
asked as well as one that goes on.  Ours; no paper's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from arena.errors import StoreError, StudyError
from arena.play.dry_run import StandIn, play_on_stand_ins
from arena.play.episode import Episode, Step
from arena.play.reading import Reader, read_as_public
from arena.play.rehearsal import REPLY_TOKENS
from arena.play.sync import run_blocking
from arena.store.replay import StudyState
from arena.studies.lineups import check_agents
from arena.studies.study import Arm, Study, plays
from arena.tournaments.stages import Rename, Stage, agents_of, count_episodes, rename_stage
from arena.tournaments.stored_moments import SPEAKER, StoredMoment, stored_moments
from arena.types import Agent, Reading, Reply, Request, Seat
from protocols.parsing.confidence import confidence_only
from protocols.parsing.tags import rating_alone

VERSION = "1"

Read = Literal["rating", "confidence", "text"]
At = str | int | Collection[str | int] | None
ALOUD = (
    "This is a question aside.  Nobody else is shown what you answer, you will not be shown it"
    " again, and nothing that happens hangs on it."
)
WINNING = f"""{ALOUD}

At this moment, what is your chance of winning this debate?  0 means that you are bound to lose, \
50 that it could go either way, 100 that you are bound to win.
Write one block, in this form, and no word outside of it:
<rating>a single number between 0 and 100</rating>
"""
RIGHT = f"""{ALOUD}

How probable is it that the answer you have just given is right?
Write one line, in this form, and nothing else:
Confidence: a number from 0 to 100%
"""
# Questions by name, each with how its reply is read.
QUESTIONS: dict[str, tuple[str, Read]] = {
    "winning": (WINNING, "rating"),
    "right": (RIGHT, "confidence"),
}


async def asked_aside(
    episode: Episode, moment: StoredMoment, speaker: Seat, *, ask: str, read: Read = "text"
) -> None:
    """Ask the question `ask` at a moment of another play; the turn holds what is read.

    `read` says what: a rating of 0 to 100 in a block, a line "Confidence: N%", or the text alone.
    """
    assert moment.turn is not None
    phase = f"aside after {moment.turn.phase}"
    await episode.ask(
        speaker,
        moment.conversation(ask),
        phase=phase,
        round=moment.turn.round,
        read=READERS[read],
    )


def confidence_in_private(reply: Reply) -> Reading:
    """Read the line "Confidence: N%" of a reply that nobody is shown."""
    return in_private(confidence_only(reply))


def words_in_private(reply: Reply) -> Reading:
    """Keep the text of a reply that nobody is shown."""
    return in_private(read_as_public(reply))


def in_private(reading: Reading) -> Reading:
    """Return a reading whose public words are private."""
    return replace(reading, public="", thoughts=reading.thoughts or reading.public)


READERS: dict[Read, Reader] = {
    "rating": rating_alone,
    "confidence": confidence_in_private,
    "text": words_in_private,
}


def aside(
    study: Study | Stage | str,
    *,
    ask: str = "winning",
    at: At = None,
    seats: str | Sequence[str] | None = None,
    read: Read | None = None,
    agents: Sequence[Agent] = (),
    name: str | None = None,
) -> Stage:
    """Return the stage that asks the seats of a study aside, after their stored turns.

    `ask` names a question, "winning" or "right", or is one in your words, whose reply is read as
    `read` says (the text alone by default).  `at` are phases, or steps of a seat, and `seats` names
    of seats; all by default.  A study that is still being played is asked about the turns that it
    has, and run again about the rest.  If `study` is a name, `agents` are those that sat in it.

    Raises StudyError for an empty question, and for other places than these; and, when the stage
    begins, if the store holds no such turn, or if an agent that sat there is not given as it was.
    """
    words, how = QUESTIONS.get(ask, (ask, "text"))
    if not words.strip():
        raise StudyError("an aside asks a question; give its words, or 'winning' or 'right'")
    check_agents(agents, "agents of aside()")
    of = study if isinstance(study, str) else study.name
    own_name = name or f"{of} asked aside"
    own_agents = () if isinstance(study, str) else agents_of(study)
    known = {agent.name: agent for agent in [*own_agents, *agents]}
    options: dict[str, object] = {"ask": words, "read": read or how}
    seats = [seats] if isinstance(seats, str) else seats
    chosen = places_of(at)

    def write(path: Path) -> Study:
        """Write the asides of the turns that are stored by now."""
        moments = stored_moments(path, of, seats=seats, at=chosen)
        by_agent: dict[str, list[StoredMoment]] = {}
        for moment in moments:
            check_agent(moment, known)
            by_agent.setdefault(moment.agent, []).append(moment)
        arms = [
            Arm(f"aside of {agent}", asked_aside, [{SPEAKER: known[agent]}], options, some)
            for agent, some in by_agent.items()
        ]
        return Study(own_name, arms, moments)

    def count(path: Path) -> int:
        """Count the asides of the turns that are stored by now, else of those to come."""
        try:
            return count_episodes(write(path), path)
        except (StoreError, StudyError):
            return count_planned(study, seats, chosen) if isinstance(study, Study) else 0

    def rename(new_name: Rename) -> Stage:
        """Return the same asides under another name, of a study that may have another too."""
        renamed = new_name(of) if isinstance(study, str) else rename_stage(study, new_name)
        return aside(
            renamed,
            ask=ask,
            at=at,
            seats=seats,
            read=read,
            agents=agents,
            name=new_name(own_name),
        )

    return Stage(own_name, write, count, tuple(known.values()), rename)


def places_of(at: At) -> list[str | int] | None:
    """Return phases and steps as a list, None for all; StudyError for anything else."""
    if at is None:
        return None
    places: list[Any] = [*at] if isinstance(at, Collection) and not isinstance(at, str) else [at]
    for each in places:
        # True is an int to Python, and would be the second step.
        if isinstance(each, bool) or not isinstance(each, str | int):
            raise StudyError(
                "an aside is asked at names of phases, such as 'closing', or at steps of a seat,"
                f" whole numbers from 0; found {each!r:.40}"
            )
    return places


def count_planned(
    study: Study, seats: Collection[str] | None, at: Collection[str | int] | None
) -> int:
    """Return how many turns a study that is still to be played is asked aside about, about.

    One episode of each arm is played on stand-ins, and the others are taken to be as long.
    """
    stand_ins: dict[str, StandIn] = {}

    def with_stand_in(agent: Agent) -> Agent:
        """Return the agent with a stand-in for its model."""
        stand_in = StandIn(agent.model, REPLY_TOKENS)
        return replace(agent, model=stand_ins.setdefault(agent.model.name, stand_in))

    found: set[tuple[str, str, int]] = set()

    def watch(step: Step, request: Request) -> None:
        """Note a turn that would be asked about; a re-ask is no turn of its own."""
        chosen = (seats is None or step.seat.name in seats) and (
            at is None or step.phase in at or step.step in at
        )
        if chosen:
            found.add((request.place.episode, step.seat.name, step.step))

    all_plays = plays(study)
    of_arm = Counter(play.arm for play in all_plays)
    firsts = {play.arm: play for play in reversed(all_plays)}
    run_blocking(
        lambda: play_on_stand_ins([*firsts.values()], StudyState(), with_stand_in, watch=watch)
    )
    turns = Counter(episode for episode, *_ in found)
    return sum(count * turns[firsts[arm].episode] for arm, count in of_arm.items())


def check_agent(moment: StoredMoment, known: Mapping[str, Agent]) -> None:
    """Raise StudyError if the agent of a moment is not there, or is another than sat there.

    The seat's own thoughts would be shown to another model.
    """
    agent = known.get(moment.agent)
    if agent is None:
        raise StudyError(
            f"{moment.agent} sat as {moment.parent_seat} in episode {moment.parent}, and is to be"
            f" asked aside; give it: aside(..., agents=[agent]); given are"
            f" {', '.join(known) or 'none'}"
        )
    if (agent.model.name, agent.system) != (moment.model, moment.system):
        raise StudyError(
            f"{moment.agent} ({moment.model}) sat as {moment.parent_seat} in episode"
            f" {moment.parent}, and the agent of this name is {agent.model.name} today, or has"
            " another system prompt; only who sat there can be asked aside"
        )
