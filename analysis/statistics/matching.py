"""Which plays of one study belong to which of another: the same subject, the same models in the seats, the same repeat.

These make a play's key.  Where several plays of a study have one key (an import without repeats, or models that are not looked at), their
mean stands against that of the other study's, so that no number hangs on which of them is paired with which.
Left out: matching by likeness of texts; a motion or a question is the same where its id, a hash of its content, is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.clustered import Array

Codes = NDArray[np.int64]
MatchBy = Literal["models", "subject"]
Key = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Matches:
    """Which plays of two studies have a key in common: rows of each study, and of each row the code of its key, from 0 to `keys` - 1.

    `left_only` and `right_only` count plays whose key the other study does not have, `shared` the keys that several plays of a study have.
    """

    left: Codes
    left_key: Codes
    right: Codes
    right_key: Codes
    keys: int
    left_only: int
    right_only: int
    shared: int


def match_keys(left: Sequence[Key | None], right: Sequence[Key | None]) -> Matches:
    """The plays with keys that both studies have; a key of None has no partner."""
    own, others = (Counter(key for key in keys if key is not None) for keys in (left, right))
    code = {key: number for number, key in enumerate(key for key in own if key in others)}
    rows = [
        np.array([row for row, key in enumerate(keys) if key in code], dtype=np.int64)
        for keys in (left, right)
    ]
    codes = [
        np.array([code[key] for key in keys if key in code], dtype=np.int64)
        for keys in (left, right)
    ]
    shared = sum(own[key] > 1 or others[key] > 1 for key in code)
    return Matches(
        rows[0],
        codes[0],
        rows[1],
        codes[1],
        len(code),
        len(left) - len(rows[0]),
        len(right) - len(rows[1]),
        shared,
    )


def partners(
    found: Matches, episode: Sequence[str], other_episode: Sequence[str]
) -> list[tuple[int, int, bool]]:
    """(row, row of the other study, whether they alone have their key), by key; several of one key in the order of their ids.

    What is left over where one study has more plays of a key stands in no pair.
    """
    places: list[list[list[int]]] = []
    for rows, codes, names in (
        (found.left, found.left_key, episode),
        (found.right, found.right_key, other_episode),
    ):
        mine: list[list[int]] = [[] for _ in range(found.keys)]
        for row, code in zip(rows.tolist(), codes.tolist(), strict=True):
            mine[code].append(row)
        places.append(
            [sorted(group, key=names.__getitem__) if len(group) > 1 else group for group in mine]
        )
    made = []
    for group, others in zip(*places, strict=True):
        alone = len(group) == len(others) == 1
        made += [(one, other, alone) for one, other in zip(group, others, strict=False)]
    return made


def arms_in_common(left: Sequence[str], right: Sequence[str]) -> set[str] | None:
    """The arms of one name in both studies, which alone are compared; None where there are none, and arms are not looked at."""
    return (set(left) & set(right)) or None


def play_key(
    subject: str | None,
    models: tuple[str | None, ...],
    repeat: int,
    arm: str,
    *,
    by: MatchBy,
    arms: set[str] | None,
) -> Key | None:
    """What two plays must have in common; None for a play that cannot have a partner."""
    if (
        subject is None
        or (arms is not None and arm not in arms)
        or (by == "models" and None in models)
    ):
        return None
    return subject, int(repeat), models if by == "models" else (), arm if arms is not None else ""


def mean_by_key(values: Array, code: Codes, keys: int) -> Array:
    """(keys, K): the means of values of plays (N, K) with one key, nan left out and where there is none."""
    there = ~np.isnan(values)
    columns = range(values.shape[1])
    sums = np.array(
        [np.bincount(code, np.where(there[:, k], values[:, k], 0), keys) for k in columns]
    ).reshape(len(columns), keys)
    counts = np.array([np.bincount(code, there[:, k], keys) for k in columns]).reshape(
        len(columns), keys
    )
    means: Array = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0).T
    return means
