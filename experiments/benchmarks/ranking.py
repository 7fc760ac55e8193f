"""Check that the leaderboard recovers planted strengths, and judges' planted biases.

    python experiments/benchmarks/ranking.py [--tournaments 200] [--models 8] [--motions 20]
        [--judges 3] [--played 1] [--small 100]

Seeded, mirrored round robins of models 0.4 logits apart; every judge reads every debate in both
seat orders.  Verdicts are drawn by the formula of agents/simulated/judge.py; with probability 0.3
by a draw that all readings of a debate share, so that intervals which take verdicts as independent
are too narrow.  First, fair judges: Kendall's tau of the order, and how many 95% intervals hold the
true strengths.  Second, beside a fair judge one judge each with a bias for the opposition, for the
side read first, for the longer side and for its own family: how many intervals hold the planted
bias, and how often it is told from zero.  `--played` tournaments of fair judges are really played
and judged, through store and standings.

Third, tournaments of few contestants and motions, far apart or equal, `--small` of each kind: how
many intervals hold, with how many open ends, where judges share draws, where all judges of a debate
say the same, and where votes are independent.  For the last, how wide the intervals are beside
those of the plain profile likelihood, in tournaments without an open end.

Exit status 1 if tau is below 0.9, a coverage outside of 90 to 98% (of biases 99%; of small
tournaments below 90%), or a ratio of widths above 1.25.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents import agent
from agents.simulated.judge import JudgeProfile
from analysis.reports.standings import study_standings
from analysis.statistics.aggregation import Votes
from analysis.statistics.clustered import Array, Mask
from analysis.statistics.firth import paired_design, penalised_fit, profile_ends
from analysis.statistics.judge_bias import EFFECTS, Readings, effects, self_preference
from analysis.statistics.ranking import Ranking, rank
from arena import Arena, Arm, Study, Subject, round_robin, run_stages
from protocols.debate import debate
from protocols.judging import jury

STRENGTH_GAP = 0.4
GAPS = (0.0, 0.4, 1.0, 2.5, 4.0)
FEW_MOTIONS = (2, 5, 20)
FEW_MODELS = (2, 4)
RATIOS = 20
SHARED = 0.3
LENGTH_SD = 0.3
FAIR = JudgeProfile(shared=SHARED)
FAMILY = 1
PLANTED = {"side": -0.5, "first": 0.7, "length": 1.0, "family": 0.6}
# The fair judge first, then one for each planted bias, in their order.
PANEL = (
    FAIR,
    replace(FAIR, side=PLANTED["side"]),
    replace(FAIR, first=PLANTED["first"]),
    replace(FAIR, length=PLANTED["length"]),
    replace(FAIR, love=PLANTED["family"], family=FAMILY),
)


@dataclass(frozen=True)
class DrawnTournament:
    """One tournament with R readings: all that `effects` takes, and two arrays (R,) more.

    `debate` is the debate of each reading, `chance` the probability of naming the proposition.
    """

    readings: Readings
    debate: NDArray[np.int64]
    chance: Array

    def cast_votes(self) -> Votes:
        """Return the votes: of each judge's two readings of a debate, one."""
        named = self.readings.winner.reshape(-1, 2)
        flipped = named[:, 0] != named[:, 1]
        both = np.ones(len(named), dtype=bool)
        # Where the two readings differ their mean is a half, which is how an abstention counts.
        return Votes(
            self.debate[::2],
            self.readings.judge[::2],
            named.mean(axis=1),
            np.where(flipped, np.nan, 1.0),
            flipped,
            both,
        )


def strengths(models: int) -> Array:
    """Return the true strengths in logits, mean 0."""
    return STRENGTH_GAP * (np.arange(models, dtype=np.float64) - (models - 1) / 2)


def draw_tournament(
    seed: int, models: int, motions: int, jurors: tuple[JudgeProfile, ...]
) -> DrawnTournament:
    """Draw a mirrored round robin on each motion, each debate read by each judge in both orders.

    The first and the last model are of the family that a judge may prefer.
    """
    rng = np.random.default_rng(seed)
    pairs = np.array([(a, b) for a in range(models) for b in range(models) if a != b])
    proposition, opposition = np.tile(pairs, (motions, 1)).T
    motion = np.repeat(np.arange(motions), len(pairs))
    debates = len(motion)
    # Readings, by debate, then judge, then order.
    debate = np.repeat(np.arange(debates), 2 * len(jurors))
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
    lead = strengths(models)[a] - strengths(models)[b]
    lead += side + first * first_read + length * log_length
    lead += love * (kin[judge, a].astype(float) - kin[judge, b])
    chance = 1 / (1 + np.exp(-lead))
    # A shared draw makes the readings of one debate agree more than independent ones would.
    common = rng.random(debates)[debate]
    draw = np.where(rng.random(len(debate)) < SHARED, common, rng.random(len(debate)))
    winner = (draw < chance).astype(float)
    # Both debates of a pair on a motion are one cluster, as in the standings.
    low, high = np.minimum(proposition, opposition), np.maximum(proposition, opposition)
    cluster = (motion * models + low) * models + high
    readings = Readings(a, b, judge, winner, first_read, log_length, kin, cluster[debate])
    return DrawnTournament(readings, debate, chance)


def rank_tournament(seed: int, models: int, motions: int, judges: int) -> tuple[float, Mask, Mask]:
    """Rank one tournament with fair judges; return its tau and which intervals hold the strengths.

    Both masks are (models,): of cluster intervals, and of intervals that take votes as independent.
    """
    drawn = draw_tournament(seed, models, motions, (FAIR,) * judges)
    readings = drawn.readings
    cast = drawn.cast_votes()
    first = np.searchsorted(drawn.debate, cast.debate)
    sides = readings.proposition[first], readings.opposition[first], cast.winner
    truth = strengths(models)
    clustered = rank(*sides, readings.cluster[first], models)
    independent = rank(*sides, np.arange(len(first)), models)
    held, naive = (
        (ranking.low <= truth) & (truth <= ranking.high) for ranking in (clustered, independent)
    )
    return kendall_tau(clustered.strength), held, naive


@dataclass(frozen=True)
class SmallTournaments:
    """Intervals of many small tournaments: how many hold, have an open end, and the width ratio.

    The ratio is to the plain profile likelihood, nan where every tournament has an open end.
    """

    held: float
    open_ends: float
    ratio: float


def rank_small(
    kind: str, gap: float, models: int, motions: int, tournaments: int, *, ratio: bool = False
) -> SmallTournaments:
    """Rank mirrored round robins of models `gap` apart; `kind` says how votes hang together.

    `shared`: three judges, both orders, draws shared as above; `copied`: three judges who say the
    same; `independent`: one judge, one order.
    """
    truth = gap * (np.arange(models) - (models - 1) / 2)
    pairs = np.array([(a, b) for a in range(models) for b in range(models) if a != b])
    first, second = np.tile(pairs, (motions, 1)).T
    motion = np.repeat(np.arange(motions), len(pairs))
    low, high = np.minimum(first, second), np.maximum(first, second)
    cluster = (motion * models + low) * models + high
    chance = 1 / (1 + np.exp(truth[second] - truth[first]))[:, None, None]
    judges, orders = {"shared": (3, 2), "copied": (3, 1), "independent": (1, 1)}[kind]
    share = {"shared": SHARED, "copied": 1.0, "independent": 0.0}[kind]
    held, open_ends = [], []
    ratios: list[float] = []
    for seed in range(tournaments):
        rng = np.random.default_rng([seed, motions, models])
        shape = len(first), judges, orders
        common = rng.random((len(first), 1, 1))
        draw = np.where(rng.random(shape) < share, common, rng.random(shape))
        # A vote whose readings differ abstains: half a win.
        score = (draw < chance).mean(axis=2).ravel()
        sides = np.repeat(first, judges), np.repeat(second, judges), score
        found = rank(*sides, np.repeat(cluster, judges), models)
        is_open = np.isinf(found.low) | np.isinf(found.high)
        held.append(((found.low <= truth) & (truth <= found.high)).mean())
        open_ends.append(is_open.mean())
        # The plain likelihood is nearly flat in many of these: a few are enough, and take minutes.
        closed = not is_open.any() and np.isfinite(found.first_low + found.first_high)
        if ratio and closed and len(ratios) < RATIOS:
            ratios.append(width_ratio(found, *sides))
    known = [each for each in ratios if np.isfinite(each)]
    return SmallTournaments(
        float(np.mean(held)), float(np.mean(open_ends)), float(np.mean(known)) if known else np.nan
    )


def width_ratio(
    found: Ranking, first: NDArray[np.int64], second: NDArray[np.int64], score: Array
) -> float:
    """Return the mean width of strengths over that of the plain profile likelihood of the votes."""
    models = len(found.strength)
    met, row = np.unique(first * models + second, return_inverse=True)
    often, won = (np.bincount(row, each).astype(np.float64) for each in (np.ones(len(row)), score))
    design = paired_design(met // models, met % models, np.ones((len(met), 1)), models)
    best = penalised_fit(design, often[None], won[None], penalty=0.0)
    contrasts = np.eye(models, models + 1)
    contrasts[:, :models] -= 1 / models
    ends = profile_ends(design, often, won, best, contrasts, np.full(models, 1.959964), penalty=0.0)
    return float(np.mean((found.high - found.low) / (ends[:, 1] - ends[:, 0])))


def compare_small(tournaments: int) -> bool:
    """Print coverage at every gap and number of motions; return whether one is out of bounds."""
    print(f"  small tournaments, {tournaments} of each kind, gaps of {GAPS} logits:")
    wrong = False
    for kind in ("shared", "copied", "independent"):
        for models in FEW_MODELS:
            for motions in FEW_MOTIONS:
                cells = [
                    rank_small(kind, gap, models, motions, tournaments, ratio=kind == "independent")
                    for gap in GAPS
                ]
                words = "  ".join(
                    f"{100 * cell.held:5.1f}% ({100 * cell.open_ends:.0f}% open)" for cell in cells
                )
                ratios = [cell.ratio for cell in cells if np.isfinite(cell.ratio)]
                wider = f"  width ratio at most {max(ratios):.2f}" if ratios else ""
                print(f"    {kind}, {models} models, {motions} motions: {words}{wider}", flush=True)
                wrong |= min(cell.held for cell in cells) < 0.9 or max(ratios, default=0) > 1.25
    return wrong


def kendall_tau(estimates: Array) -> float:
    """Return Kendall's tau of strengths against the true order, 0, 1, 2, ..."""
    lower, higher = np.triu_indices(len(estimates), 1)
    return float(np.sign(estimates[higher] - estimates[lower]).mean())


def check_biases(seed: int, models: int, motions: int) -> dict[str, tuple[bool, bool]]:
    """Return by bias whether the interval holds the planted one, and whether it excludes zero."""
    drawn = draw_tournament(seed, models, motions, PANEL)
    sizes = effects(drawn.readings)
    checks = {}
    for judge, (name, truth) in enumerate(PLANTED.items(), start=1):
        effect = EFFECTS.index(name)
        low, high = float(sizes.low[judge, effect]), float(sizes.high[judge, effect])
        checks[f"{name} {truth:+.1f} logits"] = (low <= truth <= high, low * high > 0)
        # No family belongs to the fair judge, so there is no such effect to estimate.
        if name != "family":
            low, high = float(sizes.low[0, effect]), float(sizes.high[0, effect])
            checks[f"{name} of the fair judge"] = (low <= 0 <= high, low * high > 0)
    return checks | {"own family, points": check_self_preference(drawn, len(PANEL) - 1)}


def check_self_preference(drawn: DrawnTournament, lover: int) -> tuple[bool, bool]:
    """Return the same for the self-preference score of the judge that prefers its family.

    Its truth is the mean of what the preference adds to the chances that the other judges give.
    """
    readings = drawn.readings
    debates = int(drawn.debate.max()) + 1
    start = np.searchsorted(drawn.debate, np.arange(debates))
    sides = np.stack((readings.proposition[start], readings.opposition[start]), axis=1)
    own = readings.own[:, sides]
    cast = drawn.cast_votes()
    scores = self_preference(cast.winner, cast.debate, cast.judge, own, readings.cluster[start])
    score = scores[lover]
    # The chance of each judge in each debate, over its two readings.
    chances = np.zeros((len(PANEL), debates))
    np.add.at(chances, (readings.judge, drawn.debate), drawn.chance / 2)
    one_side = own[lover, :, 0] != own[lover, :, 1]
    lead = (chances[lover] - np.delete(chances, lover, axis=0).mean(axis=0))[one_side]
    truth = float(np.where(own[lover, one_side, 0], lead, -lead).mean())
    return score.ci_low <= truth <= score.ci_high, score.ci_low * score.ci_high > 0


def play_tournament(
    path: Path, seed: int, models: int, motions: int, judges: int
) -> tuple[float, list[bool]]:
    """Play and judge one tournament in the arena; return tau and which intervals hold."""
    truth = strengths(models)
    # Names in the order of strength, so that rows sorted by name stand in the true order.
    debaters = [
        agent(f"sim/even:strength={strength:.1f}:seed={seed}", name=f"{number:03}")
        for number, strength in enumerate(truth)
    ]
    jurors = [
        agent(f"sim/judge:shared={SHARED}:seed={100 * seed + number}") for number in range(judges)
    ]
    subjects = [
        Subject(f"This house would hold debate number {number}.") for number in range(motions)
    ]
    arm = Arm("round robin", debate, round_robin(debaters), {"phases": ("opening",)})
    cup = Study(f"cup {seed}", [arm], subjects)
    run_stages(Arena(path, concurrency=64), [cup, jury(f"jury {seed}", cup, jurors)])
    contestants = study_standings(path, cup.name, seed=seed).contestants
    rows = [row.strength for row in sorted(contestants, key=lambda row: row.agent)]
    held = [
        row.ci_low <= strength <= row.ci_high
        for row, strength in zip(rows, truth.tolist(), strict=True)
    ]
    return kendall_tau(np.array([row.mean for row in rows])), held


def compare_drawn(tournaments: int, models: int, motions: int, judges: int) -> bool:
    """Print tau and coverage of drawn tournaments; return whether one is out of bounds."""
    size = (models, motions)
    taus, held, naive = zip(
        *(rank_tournament(seed, *size, judges) for seed in range(tournaments)), strict=True
    )
    order = float(np.mean(taus))
    coverage = float(np.mean(held))
    print(
        f"  {judges} fair judges: Kendall's tau {order:.3f};"
        f" 95% intervals hold {100 * coverage:.1f}% of true strengths"
    )
    print(f"    (intervals that take votes as independent: {100 * float(np.mean(naive)):.1f}%)")
    wrong = order < 0.9 or not 0.9 <= coverage <= 0.98
    checks = [check_biases(10_000 + seed, *size) for seed in range(tournaments)]
    for name in checks[0]:
        holds, detected = 100 * np.mean([check[name] for check in checks], axis=0)
        print(f"  {name:24} interval holds it {holds:5.1f}%, told from zero {detected:5.1f}%")
        wrong |= not 90 <= holds <= 99
    return wrong


def main() -> int:
    """Print the figures; return 1 if one is out of bounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tournaments", type=int, default=200)
    parser.add_argument("--models", type=int, default=8)
    parser.add_argument("--motions", type=int, default=20)
    parser.add_argument("--judges", type=int, default=3)
    parser.add_argument("--played", type=int, default=1)
    parser.add_argument("--small", type=int, default=100)
    options = parser.parse_args()
    if min(options.tournaments, options.motions, options.judges) < 1 or options.models < 3:
        parser.error("this takes at least 1 tournament of 3 models, 1 motion and 1 judge")
    size = (options.models, options.motions, options.judges)
    print(
        f"SIMULATED: {options.tournaments} tournaments of {options.models} models"
        f" {STRENGTH_GAP} logits apart, {options.motions} motions, both seats"
    )
    wrong = compare_drawn(options.tournaments, *size)
    if options.small:
        wrong |= compare_small(options.small)
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.played):
            tau, held = play_tournament(Path(folder) / "a.duckdb", seed, *size)
            print(
                f"  really played, number {seed}: tau {tau:.3f},"
                f" intervals hold {sum(held)} of {len(held)} strengths"
            )
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
