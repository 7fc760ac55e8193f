"""Read the probabilities that models gave to the options of questions.

A model that scores options leaves two measures of each in the record of its turn: the logarithm of
its probability as a text ("logprob of A"), and its share among the options ("probability of A").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp, nan

import duckdb
import numpy as np

from analysis.statistics.clustered import Array, Codes
from arena.grading.grade import LETTERS, canonical

# Plays of protocols that put a question with options to a model which scores them.
SCORED = """
    select e.study, e.arm, e.subject, e.episode, m.gold, m.choices, t.phase,
           list(s.name order by s.name) as names, list(s.value order by s.name) as values
    from episodes e join subjects m using (subject) join latest_turns t using (episode)
    join measures s using (episode, seat, step)
    where e.protocol = $protocol and e.status = 'done' and ($study is null or e.study = $study)
      and (starts_with(s.name, 'probability of ') or starts_with(s.name, 'logprob of '))
    group by all order by e.study, e.arm, e.subject, e.episode, t.phase
"""
SHARE, LOGPROB = "probability of ", "logprob of "


@dataclass(frozen=True, slots=True)
class OptionScores:
    """N plays of one arm in which options were scored before and after reasoning.

    All are (N, 2), before and after: `raw` is the probability of the chosen option as a text, nan
    if only shares are known, `share` its share among the options, `right` whether it is the right
    one.  `question` (N,) are codes; `left_out` counts plays without both.
    """

    study: str
    arm: str
    question: Codes
    raw: Array
    share: Array
    right: Array
    left_out: int


@dataclass(frozen=True, slots=True)
class OptionAnswers:
    """N plays of one arm in which options were scored, and scored again after each of them.

    `first` is (N, options), `second` (N, options, options), `right` and `question` (N,), as
    `option_change` takes them; `left_out` counts plays in which any of these is missing.
    """

    study: str
    arm: str
    first: Array
    second: Array
    right: Codes
    question: Codes
    left_out: int


@dataclass(frozen=True, slots=True)
class Scored:
    """The scored options of one turn: probabilities in the order of the question's options."""

    share: tuple[float, ...]
    raw: tuple[float, ...]


def scored_turn(names: Iterable[str], values: Iterable[float], choices: list[str]) -> Scored | None:
    """Return the scores of a turn by option; None unless there is a share of each.

    Options are scored by their letter, or by their text in a box.
    """
    found = dict(zip(names, values, strict=True))
    for texts in (LETTERS[: len(choices)], [f"\\boxed{{{text}}}" for text in choices]):
        share = [found.get(SHARE + text) for text in texts]
        if share and None not in share:
            logs = [found.get(LOGPROB + text, nan) for text in texts]
            # A sum of log probabilities can end a bit above 0 by rounding.
            raw = tuple(min(1.0, exp(log)) if log == log else nan for log in logs)
            return Scored(tuple(each for each in share if each is not None), raw)
    return None


@dataclass(frozen=True, slots=True)
class ScoredPlay:
    """A play with its scored turns by phase; `right` is the number of the right option, or -1."""

    study: str
    arm: str
    subject: str
    right: int
    turns: Mapping[str, Scored]


def scored_plays(
    con: duckdb.DuckDBPyConnection, protocol: str, study: str | None
) -> dict[tuple[str, str], list[ScoredPlay]]:
    """Return the plays of a protocol with scored options, by study and arm."""
    rows = con.execute(SCORED, {"protocol": protocol, "study": study}).fetchall()
    turns: dict[tuple[str, str, str, str], dict[str, Scored]] = {}
    right: dict[tuple[str, str, str, str], int] = {}
    for own, arm, subject, episode, gold, choices, phase, names, values in rows:
        key = own, arm, subject, episode
        options = list(choices or ())
        right[key] = number_of(gold, options)
        scored = scored_turn(names, values, options)
        if scored is not None:
            turns.setdefault(key, {})[phase] = scored
    found: defaultdict[tuple[str, str], list[ScoredPlay]] = defaultdict(list)
    for key, number in right.items():
        own, arm, subject, _ = key
        found[own, arm].append(ScoredPlay(own, arm, subject, number, turns.get(key, {})))
    return dict(found)


def number_of(gold: str | None, choices: list[str]) -> int:
    """Return the number of the right option from 0, -1 if it is none of them."""
    return -1 if gold is None else LETTERS[: len(choices)].find(canonical(gold, choices))


def read_option_scores(
    con: duckdb.DuckDBPyConnection, study: str | None
) -> dict[str, tuple[OptionScores, ...]]:
    """Return the plays of option_probability, by study and then arm."""
    found: defaultdict[str, list[OptionScores]] = defaultdict(list)
    for (own, arm), plays in scored_plays(con, "option_probability", study).items():
        pairs = [
            (play, [play.turns.get(phase) for phase in ("direct", "after reasoning")])
            for play in plays
        ]
        kept = [
            (play, [each for each in pair if each is not None])
            for play, pair in pairs
            if None not in pair and play.right >= 0
        ]
        chosen = [[int(np.argmax(each.share)) for each in pair] for _, pair in kept]
        raw, share = (
            np.array(
                [
                    [getattr(each, name)[at] for each, at in zip(pair, two, strict=True)]
                    for (_, pair), two in zip(kept, chosen, strict=True)
                ]
            ).reshape(-1, 2)
            for name in ("raw", "share")
        )
        right = np.array([[play.right] for play, _ in kept]).reshape(-1, 1)
        hit = (np.array(chosen).reshape(-1, 2) == right).astype(np.float64)
        question = codes([play.subject for play, _ in kept])
        found[own].append(OptionScores(own, arm, question, raw, share, hit, len(plays) - len(kept)))
    return {own: tuple(each) for own, each in found.items()}


def read_option_answers(
    con: duckdb.DuckDBPyConnection, study: str | None
) -> dict[str, tuple[OptionAnswers, ...]]:
    """Return the plays of ask_again in which options were scored, by study and then arm."""
    found: defaultdict[str, list[OptionAnswers]] = defaultdict(list)
    for (own, arm), plays in scored_plays(con, "ask_again", study).items():
        kept = [play for play in plays if is_whole(play)]
        most = max((len(play.turns["options"].share) for play in kept), default=0)
        first = np.zeros((len(kept), most))
        # Options that a question has not are never given first, so that any second one serves.
        second = np.broadcast_to(np.eye(most), (len(kept), most, most)).copy()
        for row, play in enumerate(kept):
            size = len(play.turns["options"].share)
            first[row, :size] = play.turns["options"].share
            for number, after in enumerate(seconds(play)):
                second[row, number] = 0
                second[row, number, :size] = after.share
        right = np.array([play.right for play in kept], dtype=np.int64)
        question = codes([play.subject for play in kept])
        left_out = len(plays) - len(kept)
        found[own].append(OptionAnswers(own, arm, first, second, right, question, left_out))
    return {own: tuple(each) for own, each in found.items()}


def seconds(play: ScoredPlay) -> list[Scored]:
    """Return the scores after each first answer, in the order of the options."""
    by_phase = {phase.partition(":")[0]: scored for phase, scored in play.turns.items()}
    found = (by_phase.get(f"options after {letter}") for letter in LETTERS)
    return [scored for scored in found if scored is not None]


def is_whole(play: ScoredPlay) -> bool:
    """Return whether options were scored first, and after each of them; and one is right."""
    first = play.turns.get("options")
    return play.right >= 0 and first is not None and len(seconds(play)) == len(first.share)


def codes(subjects: list[str]) -> Codes:
    """Return a code for each subject, equal ones for equal subjects."""
    _, code = np.unique(np.array(subjects, dtype=np.str_), return_inverse=True)
    return code.astype(np.int64)
