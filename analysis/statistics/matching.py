"""Match the plays of one study with those of another.

Two plays match if they have the same subject, the same models in the seats and the same repeat;
these make a play's key.  If several plays of a study have one key (an import without repeats, or
models that are not compared), their mean stands against that of the other study's, so that no
number depends on which of them is paired with which.  Left out: matching by likeness of texts; a
motion or a question is the same if its id, a hash of its content, is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.statistics.clustered import Array, Codes, divide, sums_by_code

MatchBy = Literal["agent", "model", "setting", "subject"]
Key = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class Matches:
    """The plays of two studies that have a key in common.

    `left` and `right` are rows of each study, `left_key` and `right_key` the code of each row's
    key, from 0 to `keys` - 1.  `left_only` and `right_only` count plays whose key the other study
    does not have, `shared` the keys that several plays of a study have.
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
    """Return the plays whose keys both studies have; a key of None has no partner."""
    counts, other_counts = (
        Counter(key for key in keys if key is not None) for keys in (left, right)
    )
    # A Counter keeps the order in which keys came, so that codes are those of the record's order.
    code = {key: number for number, key in enumerate(key for key in counts if key in other_counts)}
    rows, other_rows = (
        np.array([row for row, key in enumerate(keys) if key in code], dtype=np.int64)
        for keys in (left, right)
    )
    codes, other_codes = (
        np.array([code[key] for key in keys if key in code], dtype=np.int64)
        for keys in (left, right)
    )
    return Matches(
        rows,
        codes,
        other_rows,
        other_codes,
        len(code),
        len(left) - len(rows),
        len(right) - len(other_rows),
        sum(counts[key] > 1 or other_counts[key] > 1 for key in code),
    )


def partners(
    matches: Matches, episode: Sequence[str], other_episode: Sequence[str]
) -> list[tuple[int, int, bool]]:
    """Return (row, row of the other study, whether they alone have their key), by key.

    Several plays of one key pair up in the order of their ids; if one study has more of them, the
    rest stands in no pair.
    """
    places: list[list[list[int]]] = []
    for rows, codes, names in (
        (matches.left, matches.left_key, episode),
        (matches.right, matches.right_key, other_episode),
    ):
        by_key: list[list[int]] = [[] for _ in range(matches.keys)]
        for row, code in zip(rows.tolist(), codes.tolist(), strict=True):
            by_key[code].append(row)
        # Ids, unlike the order of rows, are the same whenever the studies are read.
        places.append(
            [sorted(group, key=names.__getitem__) if len(group) > 1 else group for group in by_key]
        )
    pairs = []
    for group, others in zip(*places, strict=True):
        alone = len(group) == len(others) == 1
        pairs += [(row, other, alone) for row, other in zip(group, others, strict=False)]
    return pairs


def arms_in_common(left: Sequence[str], right: Sequence[str]) -> set[str] | None:
    """Return the arms of one name in both studies, which alone are compared.

    None if there are none: then plays match whatever their arms.
    """
    return (set(left) & set(right)) or None


def play_key(
    subject: str | None,
    seated: tuple[str | None, ...],
    repeat: int,
    arm: str,
    *,
    by: MatchBy,
    arms: set[str] | None,
) -> Key | None:
    """Return the key that two plays must share; None for a play that cannot have a partner.

    `seated` names who sat in each seat: it counts unless plays are matched by their subject alone.
    """
    if (
        subject is None
        or (arms is not None and arm not in arms)
        or (by != "subject" and None in seated)
    ):
        return None
    return subject, int(repeat), () if by == "subject" else seated, arm if arms is not None else ""


def mean_by_key(values: Array, code: Codes, keys: int) -> Array:
    """Return (keys, K) the means of the values (N, K) of plays with one key.

    nan is left out; a mean of no value is nan.
    """
    return divide(*sums_by_code(values, code, keys))
