"""Count the debates that failed and the ratings that are missing, by contestant and side.

A debater that declines one side on half the motions is missing where it would have been least sure,
so that the numbers of the rest move.  So what is not there is counted by who it was, and the
headlines are given between the worst that it can hide (sensitivity.py).  Debates that are still
open are to come, and are counted in mirrored pairs alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.read.debates import SIDES, Debates, Unfinished
from analysis.statistics.sensitivity import Bounds, bounds

# Above this share of ratings that are not there, headlines say that they are of those played.
SAID_ABOVE = 0.02


@dataclass(frozen=True, slots=True)
class LossRow:
    """What one contestant lost on one side: of `debates` that finished or failed.

    `failed` debates on `motions` motions, of these `own` in which its call failed last; `missing`
    counts ratings of finished debates.
    """

    contestant: str | None
    side: str
    debates: int
    failed: int
    own: int
    motions: int
    missing: int


@dataclass(frozen=True, slots=True)
class Losses:
    """What is not there: `failed` debates, ratings `missing` in the last phase of finished ones.

    `share` in [0, 1] is that of the ratings of the last phase that there would be; `half_pairs`
    counts mirrored pairs of debates of which one is finished and the other not.  `bounds` take the
    ratings of failed debates as missing too; None without a rating.
    """

    failed: int
    missing: int
    share: float
    half_pairs: int
    bounds: Bounds | None
    rows: tuple[LossRow, ...]

    @property
    def matters(self) -> bool:
        """Whether so much is missing that headlines must say so."""
        return self.share > SAID_ABOVE


def losses(debates: Debates, unfinished: Sequence[Unfinished], finished: Bounds | None) -> Losses:
    """Return what is missing in a set of debates, of which some are not finished.

    `finished` are the bounds of the finished ones, None without a rating.
    """
    failed = [each for each in unfinished if each.status == "failed"]
    lost = debates.asked & np.isnan(debates.confidence)
    missing, share, limits = 0, float(bool(failed)), finished
    if debates.phases:
        missing = int(lost[:, :, -1].sum())
        planned = int(debates.asked[:, :, -1].sum()) + 2 * len(failed)
        share = (missing + 2 * len(failed)) / max(planned, 1)
    if debates.phases and failed:
        shape = (len(failed), *debates.asked.shape[1:])
        # Every rating of a failed debate was to be asked for.
        asked = np.concatenate((debates.asked, np.ones(shape, dtype=bool)))
        ratings = np.concatenate((debates.confidence, np.full(shape, np.nan)))
        limits = bounds(ratings, asked)
    return Losses(
        len(failed),
        missing,
        share,
        half_pairs(debates, unfinished),
        limits,
        loss_rows(debates, failed),
    )


def loss_rows(debates: Debates, failed: Sequence[Unfinished]) -> tuple[LossRow, ...]:
    """Return a row for each contestant and side that lost anything, the most first."""
    lost = (debates.asked & np.isnan(debates.confidence)).sum(axis=2)
    if not failed and not lost.any():
        return ()
    names: dict[str | None, None] = dict.fromkeys(debates.contestant[lost > 0].tolist())
    names |= dict.fromkeys(name for each in failed for name in each.contestants)
    rows = []
    for name in names:
        for side, seat in enumerate(SIDES):
            held = debates.contestant[:, side] == name
            mine = [each for each in failed if each.contestants[side] == name]
            row = LossRow(
                name,
                seat,
                int(held.sum()) + len(mine),
                len(mine),
                sum(each.failed_seat == seat for each in mine),
                len({each.subject for each in mine}),
                int(lost[held, side].sum()),
            )
            if row.failed or row.missing:
                rows.append(row)
    return tuple(sorted(rows, key=lambda row: (-row.own, -row.failed, -row.missing)))


def half_pairs(debates: Debates, unfinished: Sequence[Unfinished]) -> int:
    """Return how many mirrored pairs of debates have one half finished and the other not."""
    # The mirror image of each debate that is not finished, as a finished one would be known.
    mirrored = {
        (each.arm, each.subject, each.repeat, *each.contestants[::-1])
        for each in unfinished
        if each.contestants[0] != each.contestants[1]
    }
    if not mirrored:
        return 0
    own = (debates.arm, debates.subject, debates.repeat, *debates.contestant.T)
    finished = set(zip(*(column.tolist() for column in own), strict=True))
    # A pair of which a repeat was finished later is whole.
    open_halves = {
        (arm, subject, repeat, second, first) for arm, subject, repeat, first, second in mirrored
    } - finished
    return sum((arm, s, r, b, a) in finished for arm, s, r, a, b in open_halves)
