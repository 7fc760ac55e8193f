"""Read two studies, and match their plays: same subject, contestants by seat, repeat and arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isnan
from pathlib import Path

from analysis.read.answers import AnswerRecord, read_answers
from analysis.read.debates import DebateRecord, Debates, read_records
from analysis.read.selection import ALL, Selection, differing_versions
from analysis.statistics import matching
from analysis.statistics.clustered import Array, Codes
from analysis.statistics.matching import MatchBy, Matches
from arena.errors import StudyError

# Subject, contestants by seat, repeat, arm.
# Whatever two plays share to be partners; with --by subject the contestants are left out.
Play = tuple[str | None, tuple[str | None, ...], int, str]


@dataclass(frozen=True, slots=True)
class StudyPair:
    """The records of the two studies; None for a kind of play that not both have.

    `notes` say in sentences which protocols they were played by in other versions, and how pairs
    were made where not by repeat.
    """

    a: str
    b: str
    debates: tuple[DebateRecord, DebateRecord] | None
    answers: tuple[AnswerRecord, AnswerRecord] | None
    notes: tuple[str, ...] = ()


def read_both(path: Path, a: str, b: str, selection: Selection = ALL) -> StudyPair:
    """Return the records of the chosen episodes of both studies.

    Raises StudyError for an unknown study, for one study twice, and for two that have nothing of
    one kind; StoreError if the store cannot be read.
    """
    if a == b:
        raise StudyError(f"two studies are needed to compare, found {a!r} twice")
    debates: dict[str, DebateRecord] = {}
    answers: dict[str, AnswerRecord] = {}
    for study in (a, b):
        answers |= {record.study: record for record in read_answers(path, study, selection)}
        # No debates is an error only for a study without answers too.
        try:
            debates |= {record.study: record for record in read_records(path, study, selection)}
        except StudyError:
            if study not in answers:
                raise
    both_debate = (debates[a], debates[b]) if {a, b} <= debates.keys() else None
    both_answer = (answers[a], answers[b]) if {a, b} <= answers.keys() else None
    if both_debate is None and both_answer is None:
        kinds = [
            f"{study!r} has {'debates' if study in debates else 'answers to questions'}"
            for study in (a, b)
        ]
        raise StudyError(f"there is nothing to compare: {' and '.join(kinds)}")
    versions = differing_versions(path, a, b, selection)
    return StudyPair(a, b, both_debate, both_answer, versions)


def selection_notes(studies: StudyPair) -> tuple[str, ...]:
    """Say of each study what is left out or counts as one, and which versions differ."""
    notes = dict.fromkeys(
        f"{record.study}: {record.chosen.note}"
        for record in (*(studies.debates or ()), *(studies.answers or ()))
        if record.chosen
    )
    pools = [
        f"{record.study}, by {record.by}: {name} pools {', '.join(contestants)}."
        for record in studies.debates or ()
        for name, contestants in record.pooled
    ]
    return (*notes, *pools, *studies.notes)


def selection_by(by: MatchBy, selection: Selection = ALL) -> Selection:
    """Return the choice of episodes that a comparison reads, with labels by which it matches."""
    return replace(selection, by="agent" if by == "subject" else by)


def debate_plays(debates: Debates) -> list[Play]:
    """Return subject, contestants, repeat and arm of each debate."""
    seated = map(tuple, debates.contestant.tolist())
    columns = (debates.subject.tolist(), seated, debates.repeat.tolist(), debates.arm.tolist())
    return list(zip(*columns, strict=True))


def answer_plays(record: AnswerRecord) -> list[Play]:
    """Return subject, contestants, repeat and arm of each play of a question."""
    plays = record.plays
    columns = (plays.subject.tolist(), seated_together(record), plays.repeat.tolist())
    return list(zip(*columns, arm_labels(record), strict=True))


def match_plays(left: Sequence[Play], right: Sequence[Play], by: MatchBy) -> Matches:
    """Return the plays of two studies that belong together."""
    # An arm that one study lacks has no partners; with no common name, arms are not compared.
    labels, other_labels = ([arm for *_, arm in plays] for plays in (left, right))
    # Arms of one name are compared with each other, if there are any.
    arms = matching.arms_in_common(labels, other_labels)
    keys, other_keys = (
        [matching.play_key(*play, by=by, arms=arms) for play in plays] for plays in (left, right)
    )
    return matching.match_keys(keys, other_keys)


def arm_labels(record: AnswerRecord) -> list[str]:
    """Return the arm of each play."""
    return [record.arms[code] for code in record.plays.arm.tolist()]


def seated_together(record: AnswerRecord) -> list[tuple[str | None]]:
    """Return the contestants that sat in each play, in one text; None if unknown."""
    # A lineup of unknown contestants matches nothing, since nobody can say that it is the same.
    names = [None if name == "unknown" else name for name in record.models]
    return [(names[code],) for code in record.plays.models.tolist()]


def common_phases(debates: Debates, rows: Codes, phases: Sequence[str]) -> Array:
    """Return (N, 2, phases): the confidence of some debates in some phases."""
    block: Array = debates.confidence[rows][:, :, [debates.phases.index(phase) for phase in phases]]
    return block


def outcome_words(correct: Array) -> list[str]:
    """Return "right", "wrong" or "unreadable" for 1, 0 and nan."""
    return [
        "unreadable" if isnan(value) else "right" if value else "wrong"
        for value in correct.tolist()
    ]
