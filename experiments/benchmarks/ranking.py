"""Does the leaderboard find what was put in?  Seeded tournaments of known strengths, with fair judges and with judges of known biases.

    python experiments/benchmarks/ranking.py [--tournaments 200] [--models 8] [--motions 20] [--judges 3] [--played 1]

Mirrored round robins of models 0.4 logits apart; every judge reads every debate in both seat orders.  Verdicts are drawn by the formula of
agents/simulated/judge.py; with probability 0.3 by a draw that all readings of a debate share, so that intervals which take verdicts as
independent are too narrow.  First, fair judges: Kendall's tau of the order, and how many 95% intervals hold the true strengths.  Second, one
judge each with a bias for the opposition, for who is read first, for the longer side and for its own family beside a fair one: how many
intervals hold what was planted, and how often it is told from nothing.  `--played` tournaments of fair judges are really played and judged,
through store and standings.  Exit status 1 where tau is below 0.9, or a coverage outside of 90 to
98% (of biases: 99%).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agents import agent
from agents.simulated.judge import JudgeProfile
from analysis.reports.standings import standings
from analysis.statistics.aggregation import votes
from analysis.statistics.clustered import Array
from analysis.statistics.judge_bias import EFFECTS, Readings, effects, self_preference
from analysis.statistics.ranking import rank
from arena import Arena, Arm, Study, Subject, round_robin, run_stages
from protocols.debate import debate
from protocols.judging import jury

STRENGTH_GAP = 0.4
SHARED = 0.3
LENGTH_SD = 0.3
FAIR = JudgeProfile(shared=SHARED)
FAMILY = 1
BIASED = (
    FAIR,
    replace(FAIR, side=-0.5),
    replace(FAIR, first=0.7),
    replace(FAIR, length=1.0),
    replace(FAIR, love=0.6, family=FAMILY),
)


@dataclass(frozen=True)
class DrawnTournament:
    """One tournament: what `effects` takes, the debate of each reading, and the chance with which it named the proposition."""

    readings: Readings
    debate: np.ndarray
    chance: Array


def strengths(models: int) -> Array:
    """The true strengths, mean 0."""
    return STRENGTH_GAP * (np.arange(models) - (models - 1) / 2)


def draw_tournament(
    seed: int, models: int, motions: int, jurors: tuple[JudgeProfile, ...]
) -> DrawnTournament:
    """A mirrored round robin on each motion, each debate read by each judge in both orders; the first and last model are of the family."""
    rng = np.random.default_rng(seed)
    one, other = np.array([(a, b) for a in range(models) for b in range(models) if a != b]).T
    proposition, opposition, motion = (
        np.tile(one, motions),
        np.tile(other, motions),
        np.repeat(np.arange(motions), len(one)),
    )
    debates, size = len(motion), 2 * len(jurors)
    debate = np.repeat(np.arange(debates), size)
    judge = np.tile(np.repeat(np.arange(len(jurors)), 2), debates)
    first_read = np.tile([1.0, -1.0], debates * len(jurors))
    log_length = rng.normal(0, LENGTH_SD, debates)[debate]
    kin = np.zeros((len(jurors), models), dtype=bool)
    kin[:, [0, -1]] = np.array([[profile.family == FAMILY] for profile in jurors])
    a, b = proposition[debate], opposition[debate]
    side, first, length, love = (
        np.array([getattr(profile, name) for profile in jurors])[judge]
        for name in ("side", "first", "length", "love")
    )
    lead = (
        strengths(models)[a]
        - strengths(models)[b]
        + side
        + first * first_read
        + length * log_length
    )
    lead += love * (kin[judge, a].astype(float) - kin[judge, b])
    chance = 1 / (1 + np.exp(-lead))
    common = rng.random(debates)[debate]
    draw = np.where(rng.random(len(debate)) < SHARED, common, rng.random(len(debate)))
    cluster = (motion * models + np.minimum(proposition, opposition)) * models + np.maximum(
        proposition, opposition
    )
    winner = (draw < chance).astype(float)
    return DrawnTournament(
        Readings(a, b, judge, winner, first_read, log_length, kin, cluster[debate]), debate, chance
    )


def rank_tournament(
    seed: int, models: int, motions: int, judges: int
) -> tuple[float, Array, Array]:
    """(tau, held (models,) by cluster intervals, held by intervals that take votes as independent) of one tournament with fair judges."""
    found = draw_tournament(seed, models, motions, (FAIR,) * judges)
    readings = found.readings
    cast = votes(
        found.debate,
        readings.judge,
        np.zeros(len(found.debate), dtype=np.int64),
        readings.winner,
        np.ones(len(found.debate)),
    )
    first = np.searchsorted(found.debate, cast.debate)
    sides = readings.proposition[first], readings.opposition[first], cast.winner
    truth = strengths(models)
    honest, naive = (
        rank(*sides, cluster, models, seed=seed)
        for cluster in (readings.cluster[first], np.arange(len(first)))
    )
    return tau(honest.strength), *(
        (row.low <= truth) & (truth <= row.high) for row in (honest, naive)
    )


def tau(found: Array) -> float:
    """Kendall's tau of strengths against the true order, 0, 1, 2, ..."""
    pairs = np.triu_indices(len(found), 1)
    return float(np.sign(found[pairs[1]] - found[pairs[0]]).mean())


def check_biases(seed: int, models: int, motions: int) -> dict[str, tuple[bool, bool]]:
    """By bias: whether the interval holds what was planted, and whether it excludes nothing at all."""
    found = draw_tournament(seed, models, motions, BIASED)
    sizes = effects(found.readings)
    held = {}
    for number, (name, truth) in enumerate(
        (("side", -0.5), ("first", 0.7), ("length", 1.0), ("family", 0.6)), 1
    ):
        low, high = (float(limit[number, EFFECTS.index(name)]) for limit in (sizes.low, sizes.high))
        held[f"{name} {truth:+.1f} logits"] = low <= truth <= high, low * high > 0
        if name != "family":
            low, high = (float(limit[0, EFFECTS.index(name)]) for limit in (sizes.low, sizes.high))
            held[f"{name} of the fair judge"] = low <= 0 <= high, low * high > 0
    return held | {"own family, points": check_self_preference(found, len(BIASED) - 1)}


def check_self_preference(found: DrawnTournament, lover: int) -> tuple[bool, bool]:
    """The same for the self-preference score, whose truth is the mean of what the judge's love adds to the panel's chances."""
    readings, debates = found.readings, int(found.debate.max()) + 1
    start = np.searchsorted(found.debate, np.arange(debates))
    sides = np.stack((readings.proposition[start], readings.opposition[start]), axis=1)
    cast = votes(
        found.debate,
        readings.judge,
        np.zeros(len(found.debate), dtype=np.int64),
        readings.winner,
        np.ones(len(found.debate)),
    )
    own = readings.own[:, sides]
    score = self_preference(cast.winner, cast.debate, cast.judge, own, readings.cluster[start])[
        lover
    ]
    chances = np.zeros((len(BIASED), debates))
    np.add.at(chances, (readings.judge, found.debate), found.chance / 2)
    one = own[lover, :, 0] != own[lover, :, 1]
    lead = (chances[lover] - np.delete(chances, lover, axis=0).mean(axis=0))[one]
    truth = float(np.where(own[lover, one, 0], lead, -lead).mean())
    return score.ci_low <= truth <= score.ci_high, score.ci_low * score.ci_high > 0


def play_tournament(
    path: Path, seed: int, models: int, motions: int, judges: int
) -> tuple[float, Array]:
    """(tau, held (models,)) of one tournament that is played and judged in the arena."""
    truth = strengths(models)
    debaters = [
        agent(f"sim/even:strength={strength:.1f}:seed={seed}", name=f"{number:03}")
        for number, strength in enumerate(truth)
    ]
    jurors = [
        agent(f"sim/judge:shared={SHARED}:seed={100 * seed + number}") for number in range(judges)
    ]
    motion = [
        Subject(f"This house would hold debate number {number}.") for number in range(motions)
    ]
    cup = Study(
        f"cup {seed}",
        [Arm("round robin", debate, round_robin(debaters), {"phases": ("opening",)})],
        motion,
    )
    run_stages(Arena(path, concurrency=64), [cup, jury(f"jury {seed}", cup, jurors)])
    rows = sorted(standings(path, cup.name, seed=seed)["contestants"], key=lambda row: row["agent"])
    held = [
        row["ci_low"] <= strength <= row["ci_high"]
        for row, strength in zip(rows, truth, strict=True)
    ]
    return tau(np.array([row["strength"] for row in rows])), np.array(held)


def main() -> int:
    """Print the figures."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--tournaments", type=int, default=200)
    words.add_argument("--models", type=int, default=8)
    words.add_argument("--motions", type=int, default=20)
    words.add_argument("--judges", type=int, default=3)
    words.add_argument("--played", type=int, default=1)
    chosen = words.parse_args()
    if chosen.tournaments < 1 or chosen.models < 3 or chosen.motions < 1 or chosen.judges < 1:
        words.error("this takes at least 1 tournament of 3 models, 1 motion and 1 judge")
    size = chosen.models, chosen.motions
    print(
        f"SIMULATED: {chosen.tournaments} tournaments of {chosen.models} models {STRENGTH_GAP} logits apart, {chosen.motions} motions, both seats"
    )
    taus, held, naive = zip(
        *(rank_tournament(seed, *size, chosen.judges) for seed in range(chosen.tournaments)),
        strict=True,
    )
    order, coverage = float(np.mean(taus)), float(np.mean(held))
    print(
        f"  {chosen.judges} fair judges: Kendall's tau {order:.3f}; 95% intervals hold {100 * coverage:.1f}% of true strengths"
    )
    print(f"    (intervals that take votes as independent: {100 * float(np.mean(naive)):.1f}%)")
    biases = [check_biases(10_000 + seed, *size) for seed in range(chosen.tournaments)]
    wrong = order < 0.9 or not 0.9 <= coverage <= 0.98
    for name in biases[0]:
        kept, told = (100 * float(np.mean([found[name][k] for found in biases])) for k in (0, 1))
        print(f"  {name:24} interval holds it {kept:5.1f}%, told from nothing {told:5.1f}%")
        wrong |= not 90 <= kept <= 99
    with tempfile.TemporaryDirectory() as folder:
        really = [
            play_tournament(Path(folder) / "a.duckdb", seed, *size, chosen.judges)
            for seed in range(chosen.played)
        ]
    for number, (one, hits) in enumerate(really):
        print(
            f"  really played, number {number}: tau {one:.3f}, intervals hold {int(hits.sum())} of {len(hits)} strengths"
        )
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
