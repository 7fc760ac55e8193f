"""Read what seats said aside beside what they said in the turn before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.statistics.clustered import Array, Codes
from arena.store.database import open_live

# Told apart by what was asked and by agent: two agents may share a model.
ASIDES = """
    select study, aside_study, options->>'ask', agent, phase, round, episode, confidence,
           aside_confidence
    from asides where $study is null or study = $study order by all
"""
Key = tuple[str, str, str, str, int, str]
SOME = "select exists (from plays where protocol = 'asked_aside')"


@dataclass(frozen=True, slots=True)
class Asides:
    """What one agent said in one phase, in its turns and aside, by pairs.

    `study` was asked by `aside_study` the question `ask`.  `stated` and `aside` are (n,) ratings in
    [0, 1], nan where one could not be read or was not asked for; `episode` (n,) codes the plays.
    """

    study: str
    aside_study: str
    ask: str
    agent: str
    round: int
    phase: str
    stated: Array
    aside: Array
    episode: Codes


def read_asides(path: Path, study: str | None = None) -> list[Asides]:
    """Return the asides of a study, or of all, by question, agent and phase in their order."""
    with open_live(path, ("asides",)) as con:
        if not (some := con.execute(SOME).fetchone()) or not some[0]:
            return []
        rows = con.execute(ASIDES, {"study": study}).fetchall()
    groups: dict[Key, list[tuple[str, float | None, float | None]]] = {}
    for of, by, ask, agent, phase, number, *pair in rows:
        groups.setdefault((of, by, ask, agent, number, phase), []).append((pair[0], *pair[1:]))
    return [
        Asides(
            *key,
            np.array([row[1] for row in some], dtype=np.float64),
            np.array([row[2] for row in some], dtype=np.float64),
            np.unique([row[0] for row in some], return_inverse=True)[1],
        )
        for key, some in sorted(groups.items())
    ]
