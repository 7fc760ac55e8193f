"""Ask of which of two of its answers a model is more confident, and count its wins.

"Language Models Prefer What They Know: Relative Confidence Estimation", arXiv 2502.01126.

Kept: every question is answered once, and is then compared with `comparisons` others (15 in the
paper), the model being shown both questions with its own answers; winners are made ranks by Elo,
TrueSkill or Bradley and Terry (analysis/statistics/relative_confidence.py).  Different: the words
are ours; which others a question meets follows from hashes, so that a question more changes few
pairs; where a question has several replies, its first one is compared, and all that give the
same answer have its score.  Ours, since the paper's page does not show it: which answer stands
first is drawn, or each pair is asked in both orders; a tie, or a reply that cannot be read after
one more ask, is half a win for both, and their shares are kept.

The score of a reply is its share of wins among its own comparisons.  It is a rank and states no
probability.  Ranks of the whole study need all comparisons, and are made in analysis.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from arena.errors import StoreError, StudyError
from arena.play.episode import Episode
from arena.play.prompt import Prompt
from arena.score import Score
from arena.studies.lineups import check_agents
from arena.studies.study import Arm, Study
from arena.tournaments.stages import Rename, Stage, agents_of, count_episodes, rename_stage
from arena.tournaments.stored_replies import StoredSamples, stored_samples
from arena.types import Agent, Seat, Subject, Turn
from protocols import asking
from protocols.parsing.comparisons import FIRST, SECOND, more_confident

VERSION = "1"

Order = Literal["random", "both"]
NAME = "relative_confidence"
OWN = "Below stand two questions, each with the answer that you gave to it.\n"
OTHERS = "Below stand two questions, each with an answer that was given to it.\n"
QUESTION = "\nQuestion {number}: "
ANSWER = "\nAnswer to question {number}: \\boxed{{{answer}}}\n"
WHICH = (
    "\nOf which of these two answers are you more confident that it is right? Reply with one line,"
    " and nothing else:\nMore confident: the number of the question, 1 or 2\n"
)
NOT_COMPARED = "another answer than the one that was compared"
NO_ANSWER = "no answer that could be compared"


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with an answer to it, and the turn that gave it."""

    question: Subject
    answer: str
    turn: Turn


@dataclass(frozen=True, slots=True)
class Compared(Subject):
    """The replies to a question, and the answers to others with which the first is compared."""

    samples: StoredSamples = field(default_factory=lambda: StoredSamples(""))
    others: tuple[Answered, ...] = ()


async def relative_confidence(
    episode: Episode, compared: Compared, scorer: Seat, *, order: Order = "random"
) -> list[Score]:
    """Return the share of comparisons that the question's answer wins.

    `order` "both" asks each pair twice, at twice the calls.
    """
    samples = compared.samples
    first = samples.replies[0]
    if first.turn.answer is None or not compared.others:
        return [Score(reply.turn, NAME, None, status=NO_ANSWER) for reply in samples.replies]
    mine = Answered(samples.question, first.turn.answer, first.turn)
    own = scorer.agent.model.name == samples.model
    # Drawn before the first call, since the comparisons may end in any order.
    draws = [episode.rng("order").random() < 0.5 for _ in compared.others]
    turned = [[draw] if order == "random" else [False, True] for draw in draws]

    async def compare(number: int, swapped: bool) -> str | None:
        """Ask about one pair; return "mine", "other", "neither", or None if it cannot be read."""
        pair = [mine, compared.others[number]]
        turn = await episode.ask(
            Seat(f"pair{number}{'b' if swapped and order == 'both' else ''}", scorer.agent),
            prompt_of(pair[::-1] if swapped else pair, own),
            phase="comparison",
            read=more_confident,
        )
        if turn.answer not in (FIRST, SECOND):
            return turn.answer
        return "mine" if (turn.answer == FIRST) != swapped else "other"

    asks = [(number, swapped) for number, some in enumerate(turned) for swapped in some]
    said = await asyncio.gather(*(compare(*ask) for ask in asks))
    points = [{"mine": 1.0, "other": 0.0}.get(str(each), 0.5) for each in said]
    wins = []
    for number, other in enumerate(compared.others):
        own_points = [point for ask, point in zip(asks, points, strict=True) if ask[0] == number]
        turn = other.turn
        wins.append([turn.episode, turn.seat, turn.step, sum(own_points) / len(own_points)])
    details = {
        "answer": mine.answer,
        "wins": wins,
        "ties": said.count("neither") / len(said),
        "unreadable": said.count(None) / len(said),
        "order": order,
        "asked": scorer.agent.name,
    }
    value = sum(points) / len(points)
    return [
        Score(reply.turn, NAME, value, samples=1 + len(wins), details=details)
        if reply.canonical == first.canonical
        else Score(reply.turn, NAME, None, status=NOT_COMPARED)
        for reply in samples.replies
    ]


def prompt_of(pair: Sequence[Answered], own: bool) -> Prompt:
    """Return the prompt that shows two questions with their answers."""
    shown: list[Prompt] = [OWN if own else OTHERS]
    for number, each in enumerate(pair, 1):
        answer = ANSWER.format(number=number, answer=asking.in_box(each.answer))
        shown += [QUESTION.format(number=number), asking.shown_question(each.question), answer]
    return [*shown, WHICH]


def relative_confidence_of(
    name: str,
    of: Study | Stage | str,
    *,
    comparisons: int = 15,
    order: Order = "random",
    scorers: Mapping[str, Agent] | None = None,
) -> Stage:
    """Return the stage that compares the stored answers of each agent of a study in pairs.

    `of` is the study or its name.  Each question of an arm is compared with `comparisons` others,
    or with all where there are fewer.  `scorers` gives the agent that compares the answers of an
    agent, by the name of that one; without it each compares its own, which are known if `of` is a
    study.  Raises StudyError for no comparison, and when the stage begins for an agent that is not
    known, or has fewer than two answers.
    """
    if comparisons < 1:
        raise StudyError(f"a question needs at least one comparison, found {comparisons}")
    check_agents(scorers or {}, "scorers of relative_confidence_of()")
    own = {} if isinstance(of, str) else {agent.name: agent for agent in agents_of(of)}
    by_name = {**own, **(scorers or {})}
    of_name = of if isinstance(of, str) else of.name

    def write(path: Path) -> Study:
        """Write the comparisons of the answers that the store holds."""
        subjects = compared_subjects(stored_samples(path, of_name), comparisons)
        arms = []
        for agent in dict.fromkeys(each.samples.agent for each in subjects):
            if agent not in by_name:
                raise StudyError(
                    f"{name} needs an agent that compares the answers of {agent!r}; give"
                    f" relative_confidence_of(..., scorers={{{agent!r}: agent}})"
                )
            some = [each for each in subjects if each.samples.agent == agent]
            options = {"order": order}
            lineup = {"scorer": by_name[agent]}
            arms.append(Arm(f"{NAME} of {agent}", relative_confidence, [lineup], options, some))
        return Study(name, arms, subjects)

    def expected(path: Path) -> int:
        """Return how many episodes there will be: one for each answer of a study to come."""
        try:
            return count_episodes(write(path), path)
        except (StudyError, StoreError):
            return 0 if isinstance(of, str) else count_episodes(of, path)

    def rename(new_name: Rename) -> Stage:
        """Return the same stage under another name, of a study that may have another too."""
        renamed = new_name(of) if isinstance(of, str) else rename_stage(of, new_name)
        return relative_confidence_of(
            new_name(name), renamed, comparisons=comparisons, order=order, scorers=scorers
        )

    return Stage(name, write, expected, tuple(by_name.values()), rename)


def compared_subjects(stored: Sequence[StoredSamples], comparisons: int) -> list[Compared]:
    """Return each question with those that it is compared with, of the same agent and arm.

    Raises StudyError if no agent has two answers in an arm.
    """
    groups: dict[tuple[str, ...], list[tuple[StoredSamples, Answered | None]]] = {}
    for samples in stored:
        turn = samples.replies[0].turn
        answered = None if turn.answer is None else Answered(samples.question, turn.answer, turn)
        key = (samples.arm, samples.agent, samples.model)
        groups.setdefault(key, []).append((samples, answered))
    subjects = []
    for some in groups.values():
        rivals = [(samples.text, answered) for samples, answered in some if answered is not None]
        met = iter(opponents([text for text, _ in rivals], comparisons))
        for samples, answered in some:
            chosen = [] if answered is None else [rivals[each] for each in next(met)]
            subjects.append(compared_subject(samples, chosen))
    if not any(each.others for each in subjects):
        raise StudyError(
            "relative confidence compares the answers to two questions, and no agent has two that"
            " can be read in one arm; give a study with more questions"
        )
    return subjects


def opponents(texts: Sequence[str], comparisons: int) -> list[list[int]]:
    """Return, for each of some texts, the numbers of the others that it is compared with.

    The texts stand in so many rings, each in an order of its own by hashes, and a text meets the
    next one of every ring.  So a text more changes one meeting of a ring, and each is met as often
    as others are.
    """
    count = len(texts)
    rings = []
    for ring in range(min(comparisons, count - 1)):
        hashes = [digest(str(ring), text) for text in texts]
        order = sorted(range(count), key=hashes.__getitem__)
        rings.append((order, {each: place for place, each in enumerate(order)}))
    met: list[list[int]] = []
    for each in range(count):
        # In the order of the rings; whom it met in an earlier ring it passes by.
        others: dict[int, None] = {}
        for order, place in rings:
            step = 1
            while (other := order[(place[each] + step) % count]) in others or other == each:
                step += 1
            others[other] = None
        met.append(list(others))
    return met


def compared_subject(samples: StoredSamples, others: Sequence[tuple[str, Answered]]) -> Compared:
    """Return a question with those that it is compared with as a subject."""
    words = digest(*(text for text, _ in others))[:20]
    return Compared(
        f"{samples.text}\n(compared with {len(others)} others, digest {words})",
        "replies",
        source=samples.source,
        images=tuple(
            dict.fromkeys(
                image
                for question in (samples.question, *(each.question for _, each in others))
                for image in question.images
            )
        ),
        samples=samples,
        others=tuple(each for _, each in others),
    )


def digest(*words: str) -> str:
    """Return the sha256 of some texts as hex digits."""
    return hashlib.sha256("\0".join(words).encode("utf-8", "backslashreplace")).hexdigest()
