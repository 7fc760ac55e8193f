"""Let judges say which of two texts is better, told of neither author nor method.

Ours, for tasks whose answers nothing can grade: "LLMs Can Generate a Better Answer by Aggregating
Their Own Responses" (arXiv 2503.04104) compares methods on open tasks, and its judges were not
available.  The texts with which two arms of a study end are read under headings with a code, in
both orders; judges are asked as in self_preference.py.  Each pair of arms is compared on every task
that both have played with the same agent.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from arena.errors import StoreError, StudyError
from arena.play.episode import Episode
from arena.score import SCORED, Score
from arena.studies.study import Arm, Study, subjects_of
from arena.tournaments.pairings import check_agent_names
from arena.tournaments.stages import Rename, Stage, count_episodes, rename_stage
from arena.tournaments.stored_replies import StoredSamples, stored_finals
from arena.types import Agent, Seat, Subject
from protocols.self_preference import CRITERION, NO_WORDS, AnswerPair, answer_pair, both_orders

VERSION = "1"

NAME = "preferred by a jury"


async def blind_jury(
    episode: Episode, pair: AnswerPair, judge: Seat, *, criterion: str = CRITERION
) -> list[Score]:
    """Return how far the judge prefers each of two texts to the other, in [0, 1]; they add to 1.

    The mean over both orders, as in `answer_preference`; missing where one order is.
    """
    turns = tuple(pair.turns)
    if any(not (turn.public or "").strip() for turn in turns):
        return [Score(turn, NAME, None, status=NO_WORDS) for turn in turns]
    as_stored, swapped, missing = await both_orders(episode, pair.question, turns, judge, criterion)
    scores = []
    for number, samples in enumerate(pair.samples):
        first, second = (as_stored, swapped) if number == 0 else (swapped, as_stored)
        against = None if second is None else 1 - second
        value = None if first is None or against is None else (first + against) / 2
        details = {
            "read_first": first,
            "read_second": against,
            "judge": judge.agent.name,
            "arm": samples.arm,
            "against": pair.samples[1 - number].arm,
            "criterion": criterion,
        }
        status = SCORED if value is not None else missing
        scores.append(Score(turns[number], NAME, value, "score", status, 2, details))
    return scores


def jury_of_texts(
    name: str, of: Study | Stage | str, judges: Sequence[Agent], *, criterion: str = CRITERION
) -> Stage:
    """Return the stage in which judges compare the texts with which the arms of a study end.

    `of` is the study or its name.  Raises StudyError for no judges, or two of one name; and, when
    the stage begins, for a study in which no two arms have texts of one agent on one task.
    """
    check_agent_names(judges, "judge")
    of_name = of if isinstance(of, str) else of.name

    def write(path: Path) -> Study:
        """Write the comparisons of the texts that the store holds."""
        pairs = pairs_of_arms(stored_finals(path, of_name))
        if not pairs:
            raise StudyError(
                f"{name} compares the texts of two arms, and no two arms of {of_name} have texts of"
                " one agent on one task"
            )
        options = {} if criterion == CRITERION else {"criterion": criterion}
        lineups = [{"judge": judge} for judge in judges]
        return Study(name, [Arm("jury", blind_jury, lineups, options)], pairs)

    def expected(path: Path) -> int:
        """Return how many episodes there will be."""
        try:
            return count_episodes(write(path), path)
        except (StudyError, StoreError):
            return count_planned(of, len(judges))

    def rename(new_name: Rename) -> Stage:
        """Return the same stage under another name, of a study that may have another too."""
        renamed = new_name(of) if isinstance(of, str) else rename_stage(of, new_name)
        return jury_of_texts(new_name(name), renamed, judges, criterion=criterion)

    return Stage(name, write, expected, tuple(judges), rename)


def pairs_of_arms(stored: Sequence[StoredSamples]) -> list[AnswerPair]:
    """Return each two arms' texts of one agent on one task."""
    groups: dict[tuple[Subject, str, str], dict[str, StoredSamples]] = {}
    for samples in stored:
        key = samples.question, samples.agent, samples.model
        groups.setdefault(key, {})[samples.arm] = samples
    return [
        answer_pair(pair) for some in groups.values() for pair in combinations(some.values(), 2)
    ]


def count_planned(of: Study | Stage | str, judges: int) -> int:
    """Return how many readings a study that is still to be played gets, 0 if nobody can tell."""
    if not isinstance(of, Study):
        return 0
    shared = (
        len(set(subjects_of(one, of)) & set(subjects_of(two, of))) * len(tuple(one.lineups))
        for one, two in combinations(of.arms, 2)
    )
    return judges * sum(shared)
