"""Take from a stored study what a plan needs: its design, its variance, and its prices.

The effect is not taken: planned for the effect that a small study happens to show, a study is too
small as often as that effect is too large.  Without a pilot the variance is that of the published
debates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, sqrt
from pathlib import Path
from typing import Annotated

import numpy as np

from analysis.read.debates import DebateRecord, read_records
from analysis.read.prices import Prices, read_prices
from analysis.reports.plain_json import INLINE
from analysis.reports.rating_kinds import rating_parts, verdict_split
from analysis.statistics.designs import SOURCES, Component, Design, sd_range
from analysis.statistics.power import JUDGE_SOURCES, READING
from analysis.statistics.variance_parts import VariancePart
from arena.errors import StudyError

FEWEST_DEBATES = 10
# Standard deviations of the debates of arXiv 2505.19184 between different models (60 debates of 10
# models on 6 motions, 3 judges): of closing ratings, of the rise to them, and of verdicts.
PUBLISHED: dict[str, dict[str, float]] = {
    "level": {
        "model": 0.0745,
        "motion": 0.0188,
        "model by motion": 0.0154,
        "the same debate": 0.0160,
        "the same repeat": 0.0364,
        "one side in one debate": 0.0542,
    },
    "rise": {
        "model": 0.0606,
        "opponent": 0.0106,
        "motion": 0.0123,
        "one side in one debate": 0.0879,
    },
    "votes": {
        "who debates whom": 0.2146,
        "motion": 0.0287,
        "debate": 0.1633,
        "judge": 0.2194,
        "judge by debate": 0.2246,
        READING: 0.2693,
    },
}


@dataclass(frozen=True, slots=True)
class Pilot:
    """A stored study: its design, the splits of its variance, missing ratings and prices.

    `parts` has the split of ratings of the last phase ("level"), of their rise from the first
    ("rise"), and of verdicts ("votes"), those that there are.
    """

    study: str
    simulated: bool
    design: Design
    parts: Mapping[str, tuple[VariancePart, ...]]
    missing: float
    prices: Annotated[Prices, INLINE]


def read_pilot(path: Path, study: str) -> Pilot:
    """Return the pilot; raise StudyError if it has too few debates to tell any variance."""
    [record] = read_records(path, study, readings=True)
    debates = record.debates
    rated = int((~np.isnan(debates.confidence)).any(axis=(1, 2)).sum())
    if rated < FEWEST_DEBATES:
        raise StudyError(
            f"a pilot needs at least {FEWEST_DEBATES} finished debates with ratings, {study} has"
            f" {rated}; play more of it, or say what you expect with --sd, such as --sd rest=6"
        )
    first, last = debates.confidence[:, :, 0], debates.confidence[:, :, -1]
    parts = {"level": rating_parts(last, debates, record.kinds)}
    if len(debates.phases) > 1:
        parts["rise"] = rating_parts(last - first, debates, record.kinds)
    votes = verdict_split(debates, record.kinds)
    if votes:
        parts["votes"] = votes.parts
    asked = debates.asked[:, :, -1]
    missing = 1 - float((~np.isnan(last[asked])).mean()) if asked.any() else 0.0
    prices = read_prices(path, study)
    return Pilot(study, record.simulated, design_of(record), parts, missing, prices)


def design_of(record: DebateRecord) -> Design:
    """Return the design of a stored study."""
    debates = record.debates
    pairs = list(map(tuple, debates.contestant.tolist()))
    options = record.kinds.varied.values()
    words = [tuple(values.get(name) for values in options) for name in debates.episode.tolist()]
    cells = set(zip(debates.arm.tolist(), pairs, debates.subject.tolist(), words, strict=True))
    return Design(
        len(pairs),
        len(debates.contestants()),
        len(set(debates.subject.tolist())),
        len(set(words)),
        max(1, round(len(pairs) / len(cells))),
        len({judge for _, judge, *_ in record.kinds.readings}),
        bool(debates.against_itself().all()),
    )


def components(
    split: str, parts: Sequence[VariancePart], given: Mapping[str, float]
) -> tuple[Component, ...]:
    """Return what is assumed of each source of ratings: given, of the pilot, or as published.

    A source that did not vary in the pilot, such as the model in a study of one, is as published;
    one that it could not tell from another is a part of that, and 0.
    """
    known = {part.factor: part for part in parts}
    # Of several varied options all count as the wording.
    options = {name.removeprefix("model by ") for name in known} - set(SOURCES)
    for kind in ("", "model by "):
        told = [known[kind + name] for name in ("wording", *options) if kind + name in known]
        told = [part for part in told if not isnan(part.sd)]
        if told:
            sd = sqrt(sum(part.sd**2 for part in told))
            levels = max(part.levels for part in told)
            known[f"{kind}wording"] = VariancePart(f"{kind}wording", levels, sd)
    rows = []
    for source in SOURCES:
        part = known.get(source)
        published = PUBLISHED[split].get(source, 0.0)
        if source in given:
            sd = given[source]
            rows.append(Component(source, sd, sd, sd, "given"))
        elif part is None or part.levels < 2:
            rows.append(Component(source, published, published, published, "published"))
        elif isnan(part.sd):
            rows.append(Component(source, 0.0, 0.0, 0.0, part.note or "not told"))
        else:
            limits = sd_range(part, parts)
            rows.append(Component(source, part.sd, *limits, f"pilot, {part.levels} levels"))
    return tuple(rows)


def vote_shares(parts: Sequence[VariancePart]) -> tuple[dict[str, float], str]:
    """Return the shares of sources in the variance of single readings, and where they are from."""
    told = {part.factor: part.share for part in parts if not isnan(part.share)}
    if not told:
        variances = {source: sd**2 for source, sd in PUBLISHED["votes"].items()}
        return {source: each / sum(variances.values()) for source, each in variances.items()}, (
            "published"
        )
    # What a judge's or a debate's wording adds is of a debate's kind.
    other = sum(share for source, share in told.items() if source not in JUDGE_SOURCES)
    shares = {source: told.get(source, 0.0) for source in JUDGE_SOURCES}
    shares["debate"] += other
    return shares, "pilot"
