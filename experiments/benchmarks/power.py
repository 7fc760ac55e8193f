"""Compare the power that `arena power` estimates with studies that share no code with it.

    python experiments/benchmarks/power.py [--studies 10000] [--seed 1] [--played 100]

Is it the share of studies that find the effect?  First, for 4, 10 and 20 models and all claims:
the plan of `arena power` with 20,000 simulated studies, beside the share of significant results in
10,000 studies of the generator written here: models meet by random orders of a league, not in the
planner's; what a claim holds fixed has a mean of 0 over all of its levels, not over those played;
verdicts are logistic, not normal; and each study goes through the report's own functions, which the
planner has written anew for many studies at once.  Then a point the slow way: studies of 20 debates
of simulated debaters, played through the arena, with the p-values of `arena report`.

With 10,000 studies two points are 3.3 standard errors at a power of a half: among 40 rows one is
off by chance in one run of 25.  With 1,000 they are 1.2, and four points happen.

Exit status 1 if a share of the grid is off by more than two points, or a played one by more than
three standard errors.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents import agent
from analysis.reports.debates import study_reports
from analysis.reports.power import Plan, measure
from analysis.statistics.aggregation import Votes, majority
from analysis.statistics.claims import mean_claims
from analysis.statistics.clustered import clustered_mean
from analysis.statistics.designs import Design
from analysis.statistics.equivalence import equivalence
from analysis.statistics.judge_bias import clustered_share
from analysis.statistics.motions import over_motions
from analysis.statistics.power import THESE
from analysis.statistics.variance_parts import variance_parts
from arena import Arena, Arm, Study, Subject, against_itself
from arena.cli.commands.power import make_plan
from arena.cli.main import parser
from protocols.debate import debate

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
LEVEL = 0.05
POWER_STUDIES = 20_000
WITHIN_POINTS = 2.0
LEAGUES = 50
League = tuple[Codes, Codes, Codes]
DRAWN = {"these": "", "models": "m", "motions": "mk"}


@dataclass(frozen=True)
class Setting:
    """A study to plan: effects and standard deviations in points.

    `sds` are by the words of `arena power --sd`; `lead` of verdicts and sds of logits are in
    `logits`: (lead, debate, judge, judge by debate).
    """

    claim: str
    models: int
    debates: int
    effect: float
    speaks_of: str = "models"
    motions: int = 6
    wordings: int = 1
    repeats: int = 1
    judges: int = 0
    missing: float = 0.0
    between: str = ""
    sds: dict[str, float] = field(default_factory=dict)
    logits: tuple[float, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether each model debates itself."""
        return self.claim in ("above-half", "equivalence") or self.between == "models"


# As in the publication: closings, and rises.
CLOSING = {
    "model": 7.4,
    "motion": 1.9,
    "model by motion": 1.5,
    "debate": 1.6,
    "repeat": 3.6,
    "rest": 5.4,
}
RISE = {"model": 6.1, "opponent": 1.1, "motion": 1.2, "rest": 8.8}
CROSSED = {
    "model": 3.0,
    "opponent": 2.0,
    "motion": 4.0,
    "wording": 3.0,
    "model by motion": 3.0,
    "model by wording": 2.0,
    "debate": 3.0,
    "repeat": 4.0,
    "rest": 6.0,
}
NOISY = {"model": 2.0, "repeat": 5.0, "rest": 20.0}
GRID = [
    *(Setting("rise", 4, debates, 2, "these", sds=RISE) for debates in (24, 60)),
    *(Setting("rise", 10, debates, 5, sds=RISE) for debates in (20, 60, 180)),
    Setting("rise", 10, 60, 0, sds=RISE),
    Setting("rise", 10, 60, 1.5, "these", sds=RISE),
    *(Setting("rise", 20, debates, 4, sds=RISE) for debates in (60, 190)),
    Setting("rise", 20, 60, 0, sds=RISE),
    Setting("rise", 10, 90, 4, motions=9, wordings=3, sds=CROSSED),
    Setting("rise", 10, 90, 5, "motions", motions=9, wordings=3, sds=CROSSED),
    Setting("rise", 10, 90, 0, "motions", motions=9, sds=CROSSED),
    Setting("rise", 20, 120, 4, "motions", motions=12, wordings=3, repeats=2, sds=CROSSED),
    Setting("rise", 20, 120, 3, motions=6, repeats=3, missing=0.2, sds=CROSSED),
    Setting("rise", 4, 48, 2, "these", motions=4, wordings=3, repeats=2, sds=CROSSED),
    Setting("above-half", 4, 40, 2, "these", sds=CLOSING),
    *(Setting("above-half", 10, debates, 6, sds=CLOSING) for debates in (30, 120)),
    Setting("above-half", 10, 60, 0, sds=CLOSING),
    Setting("above-half", 20, 60, 4, sds=CLOSING),
    Setting("above-half", 20, 60, 5, "motions", sds=CROSSED),
    Setting("above-half", 10, 60, 4, repeats=2, missing=0.1, sds=NOISY),
    Setting("equivalence", 4, 40, 2, "these", sds=NOISY),
    Setting("equivalence", 10, 60, 0, sds=CROSSED),
    Setting("equivalence", 20, 80, 0, sds=CLOSING),
    Setting("equivalence", 20, 60, 5, sds=CLOSING),
    *(Setting("difference", 10, debates, 3, sds=CLOSING) for debates in (20, 50)),
    Setting("difference", 10, 30, 0, sds=NOISY),
    Setting("difference", 1, 24, 4, between="models", repeats=2, motions=12, sds=CROSSED),
    Setting("difference", 1, 24, 5, between="models", missing=0.2, motions=12, sds=NOISY),
    *(
        Setting("majority", models, 60, 0, judges=judges, logits=(0.6, 1.0, 0.8, 0.8))
        for models, judges in ((4, 3), (10, 1), (10, 3), (10, 5), (20, 3))
    ),
    Setting("majority", 10, 60, 0, judges=3, logits=(0.0, 1.0, 1.0, 1.0)),
]


def league(draw: np.random.Generator, setting: Setting) -> League:
    """Return the models (G, 2), the motion (G,) and the wording (G,) of debates.

    Rounds of a league by chance: in each every model sits once in each seat, or meets itself, and
    each pair takes one of the motions that both have debated least: the plan takes debates to be
    spread evenly.
    """
    cells = -(-setting.debates // setting.repeats)
    pairs: list[tuple[int, int]] = []
    while len(pairs) < cells:
        order = draw.permutation(setting.models).tolist()
        for gap in [0] if setting.alone else draw.permutation(setting.models - 1) + 1:
            pairs += zip(order, np.roll(order, int(gap)).tolist(), strict=True)
    debated = np.zeros((setting.models, setting.motions))
    played = np.zeros((setting.models, setting.models, setting.motions))
    motions = []
    for first, second in pairs[:cells]:
        often = debated[first] + debated[second] + 100 * played[first, second]
        often = often + 0.1 * debated.sum(axis=0) + 0.01 * draw.random(setting.motions)
        least = int(often.argmin())
        debated[[first, second], least] += 1
        played[first, second, least] += 1
        motions.append(least)
    pair = np.repeat(np.array(pairs[:cells]), setting.repeats, axis=0)[: setting.debates]
    motion = np.repeat(np.array(motions), setting.repeats)[: setting.debates]
    words = draw.permutation(np.arange(setting.debates) % setting.wordings)
    return pair, motion, words


def numbers(
    draw: np.random.Generator, setting: Setting, pair: Codes, motion: Codes, words: Codes
) -> Array:
    """Draw one number for each side (G, 2), in points from the truth of the claim."""
    sizes = {"m": setting.models, "k": setting.motions, "w": setting.wordings}
    anew = DRAWN["these" if setting.claim == "difference" else setting.speaks_of]

    def table(name: str, letters: str) -> Array:
        """Draw effects of crossed levels; those of fixed levels alone have a mean of 0."""
        effects = draw.normal(0, setting.sds.get(name, 0.0), [sizes[each] for each in letters])
        is_fixed = not set(letters) & set(anew)
        return effects - effects.mean() if is_fixed else effects

    def together(number: int) -> Array:
        """Draw what all plays of one pair on one motion in one wording share."""
        key = ((pair[:, 0] * 100 + pair[:, 1]) * 100 + motion) * 100 + words
        code = np.unique(key, return_inverse=True)[1]
        return draw.normal(0, setting.sds.get("debate", 0.0), number)[code][:, None]

    topic, word = motion[:, None], words[:, None]
    values = table("model", "m")[pair] + table("opponent", "m")[pair[:, ::-1]]
    values = values + table("motion", "k")[topic] + table("wording", "w")[word]
    values = values + table("model by motion", "mk")[pair, topic]
    values = values + table("model by wording", "mw")[pair, word] + together(len(pair))
    values = values + draw.normal(0, setting.sds.get("repeat", 0.0), (len(pair), 1))
    values = values + draw.normal(0, setting.sds.get("rest", 0.0), pair.shape)
    # A rise takes two ratings, of which either may be missing.
    ratings = 2 if setting.claim == "rise" else 1
    lost = draw.random((*values.shape, ratings)) < setting.missing
    return np.where(lost.any(axis=2), np.nan, values)


def significant(draw: np.random.Generator, setting: Setting, order: League) -> bool:
    """Draw one study, and tell by the report's functions whether it finds its claim."""
    pair, motion, words = order
    values = (setting.effect + numbers(draw, setting, pair, motion, words)) / 100
    if setting.claim == "rise":
        if setting.speaks_of == "motions":
            return over_motions(values, pair, motion, within=(-1, 1)).p < LEVEL
        _, claims = mean_claims(values, pair, within=(-1, 1))
        return (claims.these_p if setting.speaks_of == "these" else claims.p) < LEVEL
    ratings = np.round(100 * np.clip(0.5 + values, 0, 1)) / 100
    if setting.speaks_of == "motions":
        return over_motions(ratings, pair, motion, against=0.5).p < LEVEL
    if setting.claim == "equivalence":
        found = equivalence(ratings, pair, margin=0.05)
        return (found.these if setting.speaks_of == "these" else found.test).p < LEVEL
    _, claims = mean_claims(ratings, pair, against=0.5)
    return (claims.these_p if setting.speaks_of == "these" else claims.p) < LEVEL


def differs(draw: np.random.Generator, setting: Setting, order: League) -> bool:
    """Draw two studies of the same debates, and tell whether `arena compare` finds a difference."""
    pair, motion, words = order
    if setting.between == "models":
        pair = np.zeros_like(pair)
    # What the arms or the models share is drawn once, and is not in the difference.
    shared = {"model", "opponent", "motion", "wording"}
    if setting.between != "models":
        shared |= {"model by motion", "model by wording", "debate"}
    own = {name: sd for name, sd in setting.sds.items() if name not in shared}
    apart = Setting(
        "difference",
        setting.models,
        setting.debates,
        0,
        motions=setting.motions,
        wordings=setting.wordings,
        missing=setting.missing,
        sds=own,
    )
    both = [numbers(draw, apart, pair, motion, words) for _ in range(2)]
    return clustered_mean((setting.effect + both[1] - both[0]) / 100).p < LEVEL


def readings(draw: np.random.Generator, setting: Setting, debates: int) -> tuple[Array, Array]:
    """Draw (readings (G, J, 2), 1 for the proposition; side (G,), 1 where it is the surer one)."""
    lead, debate_sd, judge_sd, both_sd = setting.logits
    side = draw.integers(2, size=debates).astype(np.float64)
    logit = (2 * side - 1) * lead + draw.normal(0, debate_sd, debates)
    logits = logit[:, None] + draw.normal(0, judge_sd, setting.judges)
    logits = logits + draw.normal(0, both_sd, logits.shape)
    chance = 1 / (1 + np.exp(-logits))
    return (draw.random((*chance.shape, 2)) < chance[..., None]).astype(np.float64), side


def surer_wins(draw: np.random.Generator, setting: Setting, order: League) -> bool:
    """Draw one judged study, and tell whether the surer side's share differs from half."""
    pair, motion, _ = order
    read, side = readings(draw, setting, len(pair))
    vote = read.mean(axis=2)
    judge = np.tile(np.arange(setting.judges), len(pair))
    row = np.repeat(np.arange(len(pair)), setting.judges)
    flat = vote.ravel()
    cast = Votes(row, judge, flat, np.full(flat.size, 0.8), flat == 0.5, np.ones(flat.size, bool))
    winner = majority(cast, len(pair))
    won = np.where(winner == 0.5, np.nan, np.where(side == 1, winner, 1 - winner))
    unordered = np.sort(pair, axis=1)
    code = (motion * setting.models + unordered[:, 0]) * setting.models + unordered[:, 1]
    return clustered_share(won, code).p < LEVEL


def verdict_plan(setting: Setting) -> Plan:
    """Return the plan by what a large pilot would say of such verdicts."""
    draw = np.random.default_rng(7)
    many = Setting("majority", 2, 0, 0, judges=40, logits=setting.logits)
    read, side = readings(draw, many, 5000)
    debate, judge, _ = np.indices(read.shape)
    factors = {"debate": debate, "judge": judge, "judge by debate": debate * 40 + judge}
    parts = variance_parts(
        read.ravel(),
        {name: code.ravel() for name, code in factors.items()},
        np.repeat(side.astype(np.int64), 80),
        "one reading of one judge",
    )
    lead = float(np.where(side[:, None, None] == 1, read, 1 - read).mean()) - 0.5
    shares = {part.factor: part.share for part in parts}
    design = Design(0, setting.models, setting.motions, judges=setting.judges)
    return Plan(
        "majority",
        None,
        "models like these",
        lead if setting.logits[0] else 0.0,
        None,
        design,
        (setting.debates,),
        (),
        shares,
        studies=POWER_STUDIES,
    )


def arena_power(setting: Setting) -> float:
    """Return the power that `arena power` estimates."""
    if setting.claim == "majority":
        plan = verdict_plan(setting)
    else:
        options = {
            name: getattr(setting, name)
            for name in ("claim", "effect", "models", "motions", "wordings", "repeats", "missing")
        }
        options |= {"speaks-of": setting.speaks_of, "studies": POWER_STUDIES}
        options |= {"lineups": "self" if setting.alone or setting.models == 1 else "pairs"}
        options |= {"between": setting.between} if setting.between else {}
        words = [f"--{name}={value}" for name, value in options.items()]
        words += [f"--sd={name}={setting.sds.get(name, 0.0)}" for name in CROSSED]
        plan = make_plan(parser().parse_args(["power", *words]), None)
    design = replace(plan.design, debates=setting.debates)
    return measure(plan, design, plan.speaks_of if plan.between is None else THESE).share


def describe(setting: Setting) -> str:
    """Return in words what is special about a setting."""
    known = {"RISE": RISE, "CLOSING": CLOSING, "CROSSED": CROSSED, "NOISY": NOISY}
    words = [name.lower() for name, sds in known.items() if setting.sds == sds]
    usual = {"motions": 6, "wordings": 1, "repeats": 1, "missing": 0, "judges": 0, "between": ""}
    words += [
        f"{name}={getattr(setting, name)}"
        for name, value in usual.items()
        if getattr(setting, name) != value
    ]
    return " ".join(words)


def compare(studies: int, seed: int) -> int:
    """Print the grid; return how many shares are off by more than two points."""
    print(
        f"{'claim':12}{'of':9}models debates effect  {'setting':44}arena power"
        f" {studies:6,} studies  points    se  within {WITHIN_POINTS:g}"
    )
    off = 0
    squares = []
    tests = {"difference": differs, "majority": surer_wins}
    for number, setting in enumerate(GRID):
        share = arena_power(setting)
        draw = np.random.default_rng((seed, number))
        test = tests.get(setting.claim, significant)
        orders = [league(draw, setting) for _ in range(LEAGUES)]
        hits = sum(test(draw, setting, orders[each % LEAGUES]) for each in range(studies))
        ours = hits / studies
        difference = 100 * (share - ours)
        error = 100 * math.sqrt(share * (1 - share) * (1 / studies + 1 / POWER_STUDIES))
        within = abs(difference) <= WITHIN_POINTS
        off += not within
        # A power of 0 or 1 has no spread to compare with.
        squares += [(difference / error) ** 2] if error else []
        print(
            f"{setting.claim:12}{setting.speaks_of:9}{setting.models:6}{setting.debates:8}"
            f"{setting.effect:7g}  {describe(setting):44}{100 * share:10.1f}%"
            f" {100 * ours:13.1f}%  {difference:+6.1f} {error:5.2f}  {'yes' if within else 'NO'}",
            flush=True,
        )
    print(
        f"{len(GRID)} rows, {off} off by more than two points; mean square of points / se"
        f" {statistics.fmean(squares):.2f} (1 if only chance differs)"
    )
    return off


def compare_played(studies: int, debates: int = 20) -> int:
    """Play studies of one simulated debater; return how many claims are off by three errors."""
    print(f"\nThe slow way: {studies} studies of {debates} debates, played, stored and reported")
    subjects = [Subject(f"This house would hold debate number {each}.") for each in range(debates)]
    hits = dict.fromkeys(("rise", "above-half"), 0)
    with tempfile.TemporaryDirectory() as folder:
        arena = Arena(Path(folder) / "arena.duckdb")
        debater = agent("sim/even:bias=0.03:drift=0.01:noise=0.08:debate_sd=0.05")
        for number in range(studies):
            arms = [Arm("only", debate, list(against_itself([debater])))]
            arena.run(Study(f"power {number}", arms, subjects), watch=lambda stats: None)
        for each in study_reports(arena.path):
            assert each.debates is not None
            assert each.debates.rise is not None
            assert each.debates.against_half is not None
            # An undefined p is nan, which is below no level.
            hits["rise"] += each.debates.rise.change.p < LEVEL
            hits["above-half"] += each.debates.against_half[-1].test.p < LEVEL
    # What a debate shares is in both of its ratings, and in no rise.
    spread = {"rise": {"rest": 8 * math.sqrt(2)}, "above-half": {"repeat": 5.0, "rest": 8.0}}
    effects = {"rise": 2.0, "above-half": 5.0}
    off = 0
    for claim, count in hits.items():
        plan = Setting(claim, 1, debates, effects[claim], "these", sds=spread[claim])
        share = arena_power(plan)
        error = math.sqrt(share * (1 - share) / studies)
        within = abs(share - count / studies) <= 3 * error
        off += not within
        print(
            f"{claim:12} arena power {100 * share:.1f}%, played {100 * count / studies:.1f}%, se"
            f" {100 * error:.1f}: {'within 3 se' if within else 'NO'}"
        )
    return off


def main() -> int:
    """Print both comparisons; return 1 if anything is off."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--studies", type=int, default=10_000)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument(
        "--played",
        type=int,
        default=100,
        help="studies to play through the arena (0: none)",
    )
    options = words.parse_args()
    if options.studies < 1 or options.played < 0:
        words.error("at least one study is needed")
    began = time.monotonic()
    off = compare(options.studies, options.seed)
    if options.played:
        off += compare_played(options.played)
    print(f"{time.monotonic() - began:.0f} s")
    return int(off > 0)


if __name__ == "__main__":
    sys.exit(main())
