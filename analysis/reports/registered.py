"""The rows of a report about a study's registration: what was claimed, and what departs from it."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Annotated, Literal

from analysis.reports.plain_json import INLINE
from arena.studies.registration import Deviation

Kind = Literal["share", "change", "score"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number of a report, with its interval and p-value; nan where there is none.

    `what` says what it is of.  A share is in [0, 1], a change in [-1, 1].
    """

    what: str
    value: float = nan
    ci_low: float = nan
    ci_high: float = nan
    p: float = nan
    verdict: str = ""
    kind: Kind = "share"


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A claim as it was registered, and its number by the registered margin and exclusions.

    `p_adjusted` is adjusted for the number of primary tests; nan for the others.  `expected` are
    the words that were registered.
    """

    claim: str
    primary: bool
    expected: str
    estimate: Annotated[Estimate, INLINE]
    p_adjusted: float = nan
    number: str = ""


@dataclass(frozen=True, slots=True)
class RegisteredFindings:
    """What a study's registration says of its results.

    `late` says whether episodes had begun when it was registered, `begun_before` how many.
    `deviations` are all in which the study, its runs and this report depart from it; `earlier` says
    what was in the store before.  What is no row of `claims` is exploratory.  With a `fault` the
    store has no registration that fits its hash, and the rest is empty.
    """

    hash: str
    registered_at: str
    late: bool = False
    begun_before: int = 0
    question: str = ""
    multiplicity: str = "none"
    margin: float = nan
    exclusions: str = ""
    claims: tuple[ClaimRow, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    earlier: tuple[str, ...] = ()
    fault: str = ""
