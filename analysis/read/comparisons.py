"""Read the comparisons of relative confidence: which of two stored answers a model preferred."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from analysis.statistics.clustered import Array, Codes
from arena.errors import StudyError
from arena.store.database import open_live
from arena.store.query import read_result

# Of a question one reply was compared, and those that say the same have its score: the comparisons
# stand in the details of all of them, and are read once an episode.
SCORES = """
    select s.scoring, s.episode, s.seat, s.step, s.value, s.details::varchar as details
    from latest_scores s join episodes e on e.episode = s.scoring
    where s.name = 'relative_confidence' and s.value is not null and ($1 is null or e.study = $1)
    qualify row_number() over (partition by s.scoring order by s.episode, s.seat, s.step) = 1
    order by all
"""
Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class StoredComparisons:
    """C comparisons of A answers: codes `first` and `second` (C,), `score` (C,) of the first.

    `answers` are the keys (episode, seat, step) of the turns that gave them; `ties` and
    `unreadable` (A,) the shares of their own comparisons, nan for one that had none.
    """

    first: Codes
    second: Codes
    score: Array
    answers: tuple[Key, ...]
    ties: Array
    unreadable: Array


def stored_comparisons(path: str | Path, study: str | None = None) -> StoredComparisons:
    """Return the comparisons of a study of relative confidence, or of all in the store.

    Raises StudyError if there are none.
    """
    with open_live(Path(path), ("episodes", "latest_scores")) as con:
        rows = read_result(con, SCORES, [study]).dicts()
    if not rows:
        raise StudyError(
            f"{path} holds no comparison of {study or 'any study'}; play the stage that"
            " relative_confidence_of makes"
        )
    codes: dict[Key, int] = {}
    pairs: list[tuple[int, int, float]] = []
    shares: dict[int, tuple[float, float]] = {}
    for row in rows:
        details = orjson.loads(row["details"])
        mine = codes.setdefault((row["episode"], row["seat"], row["step"]), len(codes))
        shares[mine] = details["ties"], details["unreadable"]
        for episode, seat, step, score in details["wins"]:
            other = codes.setdefault((episode, seat, step), len(codes))
            pairs.append((mine, other, score))
    first, second, score = zip(*pairs, strict=True)
    missing = (np.nan, np.nan)
    ties, unreadable = np.array([shares.get(code, missing) for code in range(len(codes))]).T
    return StoredComparisons(
        np.array(first), np.array(second), np.array(score), tuple(codes), ties, unreadable
    )
