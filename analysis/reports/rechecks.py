"""Say of each model of a study whether it still replies as it did: what rechecks have found.

A recheck asks stored requests again (protocols/recheck.py).  Replies and ratings of then and now
are compared by analysis/statistics/same_distribution.py; Holm's method adjusts for all tests of one
recheck.  That nothing was found says little after few calls, so that the power is said beside it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isnan, nan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.read.rechecks import (
    Recheck,
    RecheckedReply,
    first_and_last_at,
    last_at,
    read_rechecks,
)
from analysis.statistics.clustered import Array, Codes
from analysis.statistics.multiplicity import holm
from analysis.statistics.same_distribution import (
    NOISE,
    permutation_test,
    power,
    rating_kernel,
    reply_kernels,
)
from arena.text import pluralize, printable

# Below 5%, so that of 500 rechecks of an unchanged model at most 5% say that it has changed: at 5%
# every other such count would be above.
ALPHA = 0.03
ENOUGH_POWER = 0.8
UNKNOWN = "an unknown time"


@dataclass(frozen=True, slots=True)
class RecheckFinding:
    """What one recheck says of one model.  `p` of replies and ratings are adjusted; nan: no test.

    `first_at` and `last_at` are the minutes, in UTC, of its first and last reply.  `since` is when
    it was last known as it was: at its stored replies, or at a recheck that had found nothing.
    `power` in [0, 1] is how often so many calls would find a model that puts another word for one
    in ten (NOISE); None: not computed, or a change was found.
    """

    study: str
    model: str
    asked_model: str
    recheck: str
    first_at: str
    last_at: str
    since: str
    calls: int
    prompts: int
    p_replies: float
    p_ratings: float
    ratings: int
    served_before: tuple[str, ...]
    served_now: tuple[str, ...]
    power: float | None = None

    @property
    def date(self) -> str:
        """Return the day of its last reply."""
        return self.last_at[:10] if self.last_at != UNKNOWN else UNKNOWN

    @property
    def asked_at(self) -> str:
        """Return from when to when it was asked, such as 2026-11-27 09:41 to 09:43 UTC."""
        if self.first_at == self.last_at:
            return f"{self.last_at} UTC" if self.last_at != UNKNOWN else UNKNOWN
        same_day = self.first_at[:10] == self.last_at[:10]
        return f"{self.first_at} to {self.last_at[11:] if same_day else self.last_at} UTC"

    @property
    def p(self) -> float:
        """Return the smaller of the two p-values; nan if there is none."""
        values = [p for p in (self.p_replies, self.p_ratings) if not isnan(p)]
        return min(values) if values else nan

    @property
    def changed(self) -> bool:
        """Return whether the model replies otherwise than before."""
        return self.p <= ALPHA

    @property
    def verdict(self) -> str:
        """Return "changed", "held", "too few calls", or "nothing found" without a power."""
        if self.changed:
            return "changed"
        if isnan(self.p):
            return "too few calls"
        if self.power is None:
            return "nothing found"
        return "held" if self.power >= ENOUGH_POWER else "too few calls"


def recheck_findings(
    path: Path, study: str | None = None, *, recheck: str | None = None, with_power: bool = False
) -> list[RecheckFinding]:
    """Return what the rechecks of a study, or of all, have found, by study and in order of time.

    `recheck` is the one recheck that is asked for.  The power takes some seconds a model.
    """
    findings: list[RecheckFinding] = []
    rechecks = sorted(read_rechecks(path, study), key=lambda each: (each.study, each.recheck))
    by_date = [
        list(some) for _, some in groupby(rechecks, key=lambda each: (each.study, each.recheck))
    ]
    by_date.sort(key=lambda some: (some[0].study, max(last_at(each.new) for each in some)))
    for some in by_date:
        wants_power = with_power and recheck in (None, some[0].recheck)
        findings += findings_of(some, findings, wants_power)
    return [each for each in findings if recheck in (None, each.recheck)]


def findings_of(
    rechecks: Sequence[Recheck], earlier: Sequence[RecheckFinding], with_power: bool
) -> Iterator[RecheckFinding]:
    """Yield what one recheck says of each of its models; `earlier` is what others had found."""
    samples = [sample_of(each) for each in rechecks]
    p_values = []
    for texts, ratings, prompts, is_new in samples:
        p_values.append(permutation_test(reply_kernels(texts, prompts), prompts, is_new))
        rated = not np.isnan(ratings).all()
        kernels = [rating_kernel(ratings)] if rated else []
        p_values.append(permutation_test(kernels, prompts, is_new) if rated else nan)
    tests = max(1, sum(not isnan(p) for p in p_values))
    adjusted = holm(p_values)
    for number, (each, sample) in enumerate(zip(rechecks, samples, strict=True)):
        texts, ratings, prompts, is_new = sample
        p_replies, p_ratings = (float(adjusted[2 * number + k]) for k in (0, 1))
        changed = min(p for p in (p_replies, p_ratings, 1.0) if not isnan(p)) <= ALPHA
        share = (
            power(texts, prompts, is_new, alpha=ALPHA / tests)
            if with_power and not changed
            else None
        )
        yield RecheckFinding(
            each.study,
            each.model,
            each.asked_model,
            each.recheck,
            *(first_and_last_at(each.new) or (UNKNOWN, UNKNOWN)),
            held_until(each, earlier),
            len(each.new),
            len({reply.prompt for reply in each.new}),
            p_replies,
            p_ratings,
            int((~np.isnan(ratings)).sum()),
            servings(each.old),
            servings(each.new),
            share,
        )


def sample_of(recheck: Recheck) -> tuple[list[str], Array, Codes, NDArray[np.bool_]]:
    """Return (replies, ratings, prompts as codes, whether each is new), (n,) each."""
    replies = [*recheck.old, *recheck.new]
    codes = {prompt: code for code, prompt in enumerate(dict.fromkeys(r.prompt for r in replies))}
    ratings = np.array([nan if r.rating is None else r.rating for r in replies])
    prompts = np.array([codes[reply.prompt] for reply in replies])
    is_new = np.arange(len(replies)) >= len(recheck.old)
    return [reply.text for reply in replies], ratings, prompts, is_new


def held_until(recheck: Recheck, earlier: Sequence[RecheckFinding]) -> str:
    """Return when the model was last known to be as in its stored replies."""
    times = [(first_and_last_at(recheck.old) or (UNKNOWN, UNKNOWN))[1]]
    times += [
        each.last_at
        for each in earlier
        if (each.study, each.model, each.asked_model)
        == (recheck.study, recheck.model, recheck.asked_model)
        and not each.changed
    ]
    return times[-1]


def servings(replies: Sequence[RecheckedReply]) -> tuple[str, ...]:
    """Return what served replies, as providers name it, the most recent last."""
    named = sorted(
        {
            (reply.served, reply.fingerprint or "")
            for reply in replies
            if reply.served is not None or reply.fingerprint is not None
        },
        key=str,
    )
    return tuple(f"{served or 'unknown'}{f' ({mark})' if mark else ''}" for served, mark in named)


def describe_finding(finding: RecheckFinding) -> str:
    """Say in one sentence what a recheck found of a model."""
    name = finding.model
    if finding.asked_model != finding.model:
        name = f"{finding.asked_model}, asked in place of {finding.model},"
    calls = f"{pluralize(finding.calls, 'call')}, {pluralize(finding.prompts, 'prompt')}"
    p = "no prompt with replies of both times" if isnan(finding.p) else f"p = {finding.p:.2g}"
    found = f"{printable(name)} was rechecked on {finding.asked_at} ({calls}; {p})"
    verdict = finding.verdict
    if verdict == "changed":
        return f"{found}: it has changed since {finding.since} UTC"
    if verdict == "nothing found":
        study = shlex.quote(finding.study)
        return (
            f"{found}: no change was found; whether so few calls would have found one:"
            f" arena recheck {study} --show"
        )
    noise = f"in which one word in {1 / NOISE:.0f} is another"
    share = f"so many calls find a model {noise} in {100 * (finding.power or 0):.0f}% of cases"
    if verdict == "held":
        return f"{found}: it held; {share}"
    return f"{found}: too few calls to tell; {share}"
