"""Show what ratings are, the sums of both chances, and the parts of the variance, as blocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analysis.reports.blocks import Block, table
from analysis.reports.rating_kinds import RatingFindings, VarianceSplit
from analysis.reports.tables.claims import claim_cells, claim_headings
from analysis.reports.tables.formatting import is_defined, percent, points

STAKES = (
    "{which} are no confidences: where the winner takes both stakes, the best"
    " stake is 0 at any belief (docs/debates.md)."
)
PARTLY_STAKES = (
    "The same number was asked for as a likelihood and as a stake, and the best stake is 0 at any"
    " belief: it may lie below what the debater believes."
)
SCORED = "Ratings were paid by Brier's rule, and the debaters told so."
# Of fewer levels a standard deviation says little.
FEW_LEVELS = 6


def kind_notes(ratings: RatingFindings) -> list[str]:
    """Say what kind of numbers the ratings are where they are no plain confidences."""
    sources = dict.fromkeys(count.source for count in ratings.kinds)
    notes = []
    if len(sources) > 1:
        arms: defaultdict[str, list[str]] = defaultdict(list)
        for count in ratings.kinds:
            arms[count.source].append(count.arm)
        listed = "; ".join(f"{source} in {', '.join(names)}" for source, names in arms.items())
        notes.append(f"Ratings of several kinds stand together here ({listed}): compare the arms.")
    which = "These numbers are stakes, which" if len(sources) == 1 else "The stakes"
    notes += [STAKES.format(which=which)] if "stake" in sources else []
    notes += [PARTLY_STAKES] if "stated and stake" in sources else []
    notes += [SCORED] if "scored" in sources else []
    return notes


def kind_of_arm(ratings: RatingFindings) -> str:
    """Return what the ratings of an arm are, in a word or two."""
    return ", ".join(dict.fromkeys(count.source for count in ratings.kinds)) or "-"


def rating_blocks(ratings: RatingFindings) -> Iterator[Block]:
    """Return the sums of both chances and the parts of the variance, as far as there are any."""
    if ratings.chances:
        yield chances_block(ratings)
    for split in ratings.variance or ():
        yield variance_block(split, ratings)


def chances_block(ratings: RatingFindings) -> Block:
    """Return the chances of winning and of losing, and what they add up to."""
    chances = ratings.chances or ()
    scopes = claim_headings([row.claims for row in chances])
    rows = [
        (
            row.phase,
            row.total.n,
            percent(row.winning),
            percent(row.losing),
            percent(row.total.mean),
            *claim_cells(row.claims, scopes),
            row.above,
            row.exact,
            row.below,
        )
        for row in chances
    ]
    headings = ("phase", "n", "win", "lose", "sum", *scopes, "above 100", "100", "below")
    notes = [
        "Both were asked for apart, and are of debaters who stated both; of a sum above 100, both"
        " chances cannot hold."
    ]
    return table("Chances of winning and of losing, percent", headings, rows, notes)


def variance_block(split: VarianceSplit, ratings: RatingFindings) -> Block:
    """Return what each factor adds to the variance."""
    rows = []
    for part in split.parts:
        numbers = (points(part.sd), percent(part.share)) if is_defined(part.sd) else ("-", "-")
        rows.append((part.factor, part.levels, *numbers))
    notes = []
    if split.phase is None:
        title = "Where the variance of verdicts comes from"
        notes.append(
            "Of single readings, 100 points for the proposition and 0 for the opposition; arms and"
            " seat orders are held apart."
        )
    else:
        title = f"Where the variance of ratings comes from, {split.phase}"
        notes.append("Arms and sides are held apart: their means are no part of it.")
    if ratings.varied:
        listed = ", ".join(f"{name} ({count})" for name, count in ratings.varied.items())
        notes.append(f"Varied at random within each arm, and pooled everywhere else: {listed}.")
    few = [
        part.factor for part in split.parts if part.levels < FEW_LEVELS and is_defined(part.share)
    ]
    if few:
        notes.append(
            f"From fewer than {FEW_LEVELS} levels little can be said ({', '.join(few)}): three of"
            " them bound a standard deviation from half of the number here to six times it."
        )
    notes += [f"{part.factor}: {part.note}." for part in split.parts if part.note]
    return table(f"{title}, points", "source, levels, sd, share of it %", rows, notes)
