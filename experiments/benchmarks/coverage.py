"""Measure how often the report's 95% intervals hold the truth, over seeded simulated studies.

    python experiments/benchmarks/coverage.py [--studies 2000] [--played 200] [--debates 40]
        [--profile confident:unreadable=0.2]

Four parts.  First, ratings with the variance components of the publication (closings of
cross_model: 10 models of sd 7.4 points, 60 debates of ordered pairs of sd 1.9, the rest 6.9), and
with models that differ less or not at all, and with 8 and 6 models: does the interval of models
like these hold the mean over models, the mean rise, and the share of debates with both sides above
75%; and does that of these models hold theirs? The same with six motions that differ (sd 3): does
the interval of models and motions like these? Second, accuracy with one answer a question, by the
binomial distribution itself, and with repeats of questions of unequal hardness. Third, how often a
mean on the margin is called equivalent to 50% where one debate in ten is at 100% and the others at
50%. Last, the slow way: studies of one simulated debater against itself, whose expected confidence
is known exactly, played, stored and reported like any other.

Exit status 1 if an interval of a mean lies outside 92 to 98%, a share or an accuracy is held by
less than 92%, equivalence is claimed in more than 8%, or a played interval lies outside 90 to 99%.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from agents import agent
from agents.simulated.debater import expected_confidence
from analysis.reports.debates import study_reports
from analysis.statistics.accuracy import accuracy
from analysis.statistics.claims import mean_claims
from analysis.statistics.equivalence import equivalence
from analysis.statistics.motions import over_motions
from analysis.statistics.overconfidence import rise, sure_share
from analysis.statistics.shares import clopper_pearson
from arena import Arena, ArenaError, Arm, Study, Subject, against_itself
from protocols.debate import THREE_SPEECHES, debate

Array = NDArray[np.float64]
MODELS, DEBATES = 10, 60
LEVEL, RISE = 0.78, 0.05
DEBATE_SD, REST_SD = 0.019, 0.069
MODEL_SDS = (0.074, 0.02, 0.0)
FEWER_MODELS = (8, 6)
MOTIONS, MOTION_SD = 6, 0.03


def pairs(rng: np.random.Generator, models: int) -> NDArray[np.int64]:
    """Draw the models (DEBATES, 2) of debates: ordered pairs, each again only after all others."""
    every = np.array([(a, b) for a in range(models) for b in range(models) if a != b])
    rounds = -(-DEBATES // len(every))
    return np.concatenate([rng.permutation(every) for _ in range(rounds)])[:DEBATES]


def components(
    rng: np.random.Generator, model: NDArray[np.int64], model_sd: float
) -> tuple[Array, Array]:
    """Draw (deviations, the part of them that is the models') of both sides of debates."""
    own = rng.normal(0, model_sd, int(model.max()) + 1)[model]
    shared = rng.normal(0, DEBATE_SD, (len(model), 1))
    return own + shared + rng.normal(0, REST_SD, model.shape), own


def model_coverage(
    model_sd: float, studies: int, seed: int, models: int = MODELS
) -> dict[str, float]:
    """Return by quantity the share of studies whose interval holds the truth."""
    rng = np.random.default_rng((seed, round(1000 * model_sd)))
    # The share with both sides above 75% has no closed form: out of a million pairs of models.
    ones, others = (rng.normal(LEVEL, np.hypot(model_sd, REST_SD), 1_000_000) for _ in range(2))
    shared = rng.normal(0, DEBATE_SD, 1_000_000)
    sure = float((np.minimum(ones, others) + shared > 0.75).mean())
    held = Counter[str]()
    for _ in range(studies):
        model = pairs(rng, models)
        last, own = components(rng, model, model_sd)
        change, own_change = components(rng, model, model_sd)
        last += LEVEL
        _, mean = mean_claims(last, model)
        moved = rise(last - change - RISE, last, model).claims
        both = sure_share(last, 0.75, model).claims
        held["mean"] += mean.ci_low <= LEVEL <= mean.ci_high
        held["rise"] += moved.ci_low <= RISE <= moved.ci_high
        held["both above 75%"] += both.ci_low <= sure <= both.ci_high
        fixed, fixed_rise = LEVEL + own.mean(), RISE + own_change.mean()
        held["mean of these"] += mean.these_ci_low <= fixed <= mean.these_ci_high
        held["rise of these"] += moved.these_ci_low <= fixed_rise <= moved.these_ci_high
    return {name: count / studies for name, count in held.items()}


def motion_coverage(model_sd: float, studies: int) -> tuple[float, float]:
    """Return how often the intervals of models, and of models and motions, hold the mean."""
    rng = np.random.default_rng((MOTIONS, round(1000 * model_sd)))
    motion = np.arange(DEBATES) % MOTIONS
    held = np.zeros(2)
    for _ in range(studies):
        model = pairs(rng, MODELS)
        ratings = LEVEL + components(rng, model, model_sd)[0]
        ratings += rng.normal(0, MOTION_SD, MOTIONS)[motion][:, None]
        _, without = mean_claims(ratings, model)
        found = over_motions(ratings, model, motion)
        held += [each.ci_low <= LEVEL <= each.ci_high for each in (without, found)]
    first, second = (held / studies).tolist()
    return first, second


def accuracy_coverage(share: float) -> tuple[float, int]:
    """Return the least coverage of accuracy over 10 to 100 questions, exactly, and where it is."""
    found = []
    for n in range(10, 101):
        limits = np.array([clopper_pearson(count, n) for count in range(n + 1)])
        held = (limits[:, 0] <= share) & (share <= limits[:, 1])
        found.append((float(binom.pmf(np.arange(n + 1), n, share)[held].sum()), n))
    return min(found)


def repeat_coverage(share: float, questions: int, studies: int) -> float:
    """Return the coverage of accuracy with four plays of questions of unequal hardness."""
    rng = np.random.default_rng((questions, round(100 * share)))
    held = 0
    for _ in range(studies):
        # A beta distribution: most questions are nearly always, or nearly never, answered right.
        hard = rng.beta(2 * share, 2 * (1 - share), questions)
        right = (rng.random((questions, 4)) < hard[:, None]).astype(np.float64)
        row = accuracy(right.ravel(), np.repeat(np.arange(questions), 4)).all
        held += row.ci_low <= share <= row.ci_high
    return held / studies


def equivalence_claims(debates: int, studies: int) -> float:
    """Return how often a mean on the margin of 5 points is called equivalent to 50%."""
    rng = np.random.default_rng(debates)
    called = 0
    for _ in range(studies):
        ratings = np.where(rng.random((debates, 1)) < 0.1, 1.0, 0.5)
        called += equivalence(ratings).these.verdict == "equivalent"
    return called / studies


def interval_coverage(path: Path, profile: str, seed: int, debates: int) -> dict[str, bool]:
    """Play one study; return by quantity whether the report's interval holds the truth."""
    motions = [
        Subject(f"This house would hold debate number {number}.") for number in range(debates)
    ]
    # Each seed is another draw from the same truth.
    lineups = list(against_itself([agent(f"sim/{profile}:seed={seed}")]))
    study = Study(f"coverage {seed}", [Arm("only", debate, lineups)], motions)
    Arena(path).run(study, watch=lambda stats: None)
    [report] = study_reports(path, study.name)
    assert report.debates is not None
    assert report.debates.rise is not None
    truth = [expected_confidence(profile, round) for round in range(len(THREE_SPEECHES))]
    held = {
        row.phase: row.rating.ci_low <= mean <= row.rating.ci_high
        for row, mean in zip(report.debates.phases, truth, strict=True)
    }
    rise = report.debates.rise.change
    held["rise"] = rise.ci_low <= truth[-1] - truth[0] <= rise.ci_high
    return held


def coverage_shares(profile: str, studies: int, debates: int) -> dict[str, float]:
    """Return by quantity the share of seeded studies whose interval holds the truth."""
    hits = Counter[str]()
    for seed in range(studies):
        with tempfile.TemporaryDirectory() as folder:
            hits.update(interval_coverage(Path(folder) / "arena.duckdb", profile, seed, debates))
    return {name: count / studies for name, count in hits.items()}


def simulated_part(studies: int) -> bool:
    """Print the parts without play; return whether all is as promised."""
    good = True
    settings = [(MODELS, model_sd) for model_sd in MODEL_SDS]
    settings += [(models, MODEL_SDS[0]) for models in FEWER_MODELS]
    for models, model_sd in settings:
        shares = model_coverage(model_sd, studies, 1, models)
        print(
            f"{studies} studies, {models} models of sd {100 * model_sd:g} points, {DEBATES} debates"
        )
        for name, share in shares.items():
            print(f"  {name:16} {100 * share:5.1f}%")
            most = 1.0 if name == "both above 75%" else 0.98
            good &= 0.92 <= share <= most
    for model_sd in MODEL_SDS[:2]:
        without, found = motion_coverage(model_sd, studies)
        print(
            f"{MOTIONS} motions of sd {100 * MOTION_SD:g}, models of sd {100 * model_sd:g}: held by"
            f" models {100 * without:.1f}%, by models and motions {100 * found:.1f}%"
        )
        good &= 0.92 <= found <= 0.98
    for share in (0.9, 0.97):
        least, n = accuracy_coverage(share)
        print(f"accuracy {share:g}, 10 to 100 questions: at least {100 * least:.1f}% (at {n})")
        repeats = [repeat_coverage(share, questions, studies) for questions in (10, 20, 50)]
        words = ", ".join(f"{100 * each:.1f}%" for each in repeats)
        print(f"  four plays of 10, 20, 50 questions: {words}")
        good &= min(least, *repeats) >= 0.92
    for debates in (10, 29, 40, 60):
        share = equivalence_claims(debates, studies // 4)
        print(f"equivalence wrongly claimed, {debates} debates: {100 * share:.1f}%")
        good &= share <= 0.08
    return good


def played_part(profile: str, studies: int, debates: int) -> bool:
    """Print the coverage of played studies; return whether it is as promised."""
    shares = coverage_shares(profile, studies, debates)
    print(
        f"{studies} played studies of {debates} debates, sim/{profile}: share of 95% intervals that"
        " hold the truth"
    )
    for name, share in shares.items():
        print(f"  {name:16} {100 * share:5.1f}%")
    # About three standard errors around 95% with 200 studies.
    return all(0.9 <= share <= 0.99 for share in shares.values())


def main() -> int:
    """Print one line per quantity."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--played", type=int, default=200)
    parser.add_argument("--debates", type=int, default=40)
    parser.add_argument("--profile", default="confident:unreadable=0.2")
    options = parser.parse_args()
    if options.studies < 4 or options.played < 0 or options.debates < 2:
        parser.error("at least 4 studies, and 2 debates in a played one; 0 played ones are allowed")
    good = simulated_part(options.studies)
    if options.played:
        try:
            good &= played_part(options.profile, options.played, options.debates)
        except ArenaError as error:
            parser.error(str(error))
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
