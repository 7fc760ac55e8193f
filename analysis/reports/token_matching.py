"""Read two studies whose plays are matched by repeat, or by the tokens that were spent.

One word of effort means another amount to each model, so that plays of two models at one word are
no comparison at one price.  Matched by tokens, a play stands against one of the same subject whose
replies have about as many tokens, reasoning included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from analysis.read.selection import ALL, Selection
from analysis.read.usage import read_tokens_out
from analysis.reports import play_matching
from analysis.reports.play_matching import Play, StudyPair
from analysis.statistics import matching
from analysis.statistics.amounts import CALIPER, pair_groups
from analysis.statistics.matching import MatchBy

MatchOn = Literal["repeat", "tokens"]
# Repeats of plays without a partner: no play of the other study has the same.
ALONE = (-1, -2)


def read_matched(
    path: Path, a: str, b: str, by: MatchBy, selection: Selection = ALL, match: MatchOn = "repeat"
) -> StudyPair:
    """Return the records of both studies; with "tokens" the repeat of a play is that of its pair.

    Raises as `play_matching.read_both` does.
    """
    studies = play_matching.read_both(path, a, b, play_matching.selection_by(by, selection))
    if match == "repeat":
        return studies
    tokens = read_tokens_out(path, (a, b))
    debates = studies.debates
    answers = studies.answers
    notes = list(studies.notes)
    if debates:
        left, right = (record.debates for record in debates)
        plays, episodes = (
            [play_matching.debate_plays(side) for side in (left, right)],
            [side.episode.tolist() for side in (left, right)],
        )
        repeats, note = pair_plays("debates", plays, episodes, tokens, by)
        notes.append(note)
        first, second = (
            replace(record, debates=replace(record.debates, repeat=np.array(numbers)))
            for record, numbers in zip(debates, repeats, strict=True)
        )
        debates = (first, second)
    if answers:
        plays, episodes = (
            [play_matching.answer_plays(record) for record in answers],
            [record.plays.episode.tolist() for record in answers],
        )
        repeats, note = pair_plays("plays of questions", plays, episodes, tokens, by)
        notes.append(note)
        one, other = (
            replace(record, plays=replace(record.plays, repeat=np.array(numbers)))
            for record, numbers in zip(answers, repeats, strict=True)
        )
        answers = (one, other)
    return replace(studies, debates=debates, answers=answers, notes=tuple(notes))


def pair_plays(
    what: str,
    plays: Sequence[Sequence[Play]],
    episodes: Sequence[Sequence[str]],
    tokens: Mapping[str, int],
    by: MatchBy,
) -> tuple[list[list[int]], str]:
    """Return the number of each play's pair in both studies, and a sentence about the pairs."""
    arms = matching.arms_in_common(*([arm for *_, arm in side] for side in plays))
    numbers = pair_groups(
        *(
            [
                (matching.play_key(subject, seated, 0, arm, by=by, arms=arms), tokens.get(name))
                for (subject, seated, _, arm), name in zip(side, names, strict=True)
            ]
            for side, names in zip(plays, episodes, strict=True)
        )
    )
    means = []
    for found, names in zip(numbers, episodes, strict=True):
        amounts = [tokens[name] for name, n in zip(names, found, strict=True) if n is not None]
        means.append(f"{np.mean(amounts):,.0f}" if amounts else "no")
    unknown = [sum(name not in tokens for name in names) for names in episodes]
    missing = f" Tokens are not known of {unknown[0]:,} of A and {unknown[1]:,} of B."
    sentence = (
        f"Pairs of {what} are made by tokens, not by repeat: of one subject, the larger play has at"
        f" most {CALIPER:g} times the generated tokens of the smaller, reasoning included; in pairs"
        f" {means[0]} tokens on average in A, {means[1]} in B.{missing if any(unknown) else ''}"
    )
    repeats = [
        [alone if n is None else n for n in found]
        for found, alone in zip(numbers, ALONE, strict=True)
    ]
    return repeats, sentence
