"""Define the score of a stored reply: how sure an estimator says that the model was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from arena.types import Turn

SCORED = "scored"
ScoreKind = Literal["probability", "score"]


@dataclass(frozen=True, slots=True)
class Score:
    """A number that an estimator gives to a stored turn: the higher, the surer.

    `name` is the estimator's.  A `kind` of "probability" says that `value` states, in [0, 1], how
    probable it is that the answer is right; of a "score" only the order counts.  Where `value` is
    None, `status` says why in words.  `samples` counts the stored replies that were read for it,
    the scored one included.  `details` are JSON: which answer string, readout or context was used,
    what was truncated, features for learned estimators.
    """

    turn: Turn
    name: str
    value: float | None
    kind: ScoreKind = "score"
    status: str = SCORED
    samples: int = 1
    # Left out of the hash, since a mapping has none.
    details: Mapping[str, object] = field(default_factory=dict, hash=False)
