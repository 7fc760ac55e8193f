"""Show the standings of a judged study as blocks: shares in percent, strengths in logits."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from analysis.read.verdicts import judged_studies
from analysis.reports.blocks import Block, Document, document, sentences_block, table
from analysis.reports.judges import JudgeRow
from analysis.reports.standings import Standings, study_standings
from analysis.reports.strengths import UNBEATEN, UNCONNECTED, WINLESS
from analysis.reports.tables.formatting import (
    decimal,
    interval,
    interval_words,
    is_defined,
    number_interval,
    percent,
    points,
)
from analysis.reports.tables.outcomes import CONFIDENCE_SUM, MAJORITY, votes_words, winners_words
from analysis.reports.tables.selection import selection_lines
from analysis.reports.terminal import print_documents
from arena.text import pluralize

MARK = " *"
WARNING = (
    "SIMULATED models spoke or judged here: these numbers are no findings about language models"
)
# The names of judge_bias.EFFECTS in words.
FAVOURED = {
    "side": "the proposition",
    "first": "who is read first",
    "length": "the longer side",
    "family": "its own family",
}


def print_standings(
    standings: Sequence[Standings], file: TextIO | None = None, *, rules: bool = False
) -> None:
    """Print standings as tables, to standard output or a file; with `rules`, those at the end."""
    documents = [standings_document(each) for each in standings]
    print_documents(documents, file, command="arena rank", rules=rules)


def print_judged(path: Path, juries: Collection[str]) -> list[str]:
    """Print the standings of each study that one of these juries has judged; return their names."""
    # One study may have been judged by several of the juries: each gets its own standings.
    judged = [
        (study, jury) for study, by in judged_studies(path).items() for jury in by if jury in juries
    ]
    for study, jury in judged:
        print()
        print_standings([study_standings(path, study, jury=jury)])
    return [study for study, _ in judged]


def standings_document(standings: Standings, origin: str | None = None) -> Document:
    """Return the standings: who won, how the judges decided, and the missing verdicts."""
    counts = standings.verdicts
    heading = (
        f"{standings.study}: {standings.debates:,} debates, {standings.related.votes:,} votes out"
        f" of {counts.all:,} verdicts, {counts.missing:,} of them missing"
        f"{f', {origin}' if origin else ''}"
    )
    blocks = (
        sentences_block(*jury_notes(standings)),
        leaderboard_block(standings),
        equal_form_block(standings),
        ratings_block(standings),
        judges_block(standings.judges),
        effects_block(standings.judges),
        agreement_block(standings),
        missing_block(standings),
    )
    lines = selection_lines(standings.by, standings.pooled, standings.chosen)
    warnings = [*lines, WARNING] if standings.simulated else lines
    return document(heading, warnings, blocks, standings.rules)


def missing_block(standings: Standings) -> Block:
    """Return what verdicts lack: a winner, or a confidence, which then is in no sum."""
    rows = [(row.what, row.reason, row.n) for row in standings.missing]
    notes = []
    if any(row.what == "confidence" for row in standings.missing):
        notes = [
            "A confidence that could not be read, or lies outside of the range that was asked for"
            " (below 50), is missing: its vote counts, and its debate is won by no confidence sum."
        ]
    if any(row.what == "doubt" for row in standings.missing):
        notes.append("A doubtful verdict was read, and counts; `verdicts.status` says what is odd.")
    return table(
        "Missing in verdicts, or doubtful, and why", "what, reason, n", rows, notes, text_columns=2
    )


def jury_notes(standings: Standings) -> Iterator[str]:
    """Say which juries are pooled, and whether judges that are related to contestants count."""
    if len(standings.juries) > 1:
        pooled = ", ".join(f"{jury.jury} ({jury.verdicts:,})" for jury in standings.juries)
        yield f"Verdicts of several juries are pooled here: {pooled}; --jury shows one."
    if lost := standings.losses.failed:
        ends = ", ".join(
            f"{row.failed:,} at a call of {row.contestant or 'unknown'} as {row.side}"
            for row in standings.losses.by
        )
        alone = pluralize(standings.losses.without_mirror, "debate")
        yield (
            f"OF THOSE PLAYED: {pluralize(lost, 'debate')} failed{f' ({ends})' if ends else ''}, so"
            f" that strengths and wins are of the others; {alone} whose mirror image failed count"
            " for wins and not for strengths."
        )
    related = standings.related
    votes = related.judge_is_contestant + related.judge_of_family
    if votes:
        without, how = "Without", "; --exclude-related leaves them out"
        if related.judges == "left out":
            without, how = "With", ""
        # One name is enough where the first place is the same either way.
        first = f"{without} them {related.first} comes first too."
        if related.first_otherwise != related.first:
            first = f"{without} them {related.first_otherwise or 'nobody'} would come first."
        yield (
            f"{votes:,} of {related.votes:,} votes are by a judge that is a contestant of the"
            f" debate ({related.judge_is_contestant:,}) or of its family"
            f" ({related.judge_of_family:,}): {related.judges} here{how}. {first}"
        )


def leaderboard_block(standings: Standings) -> Block:
    """Return the leaderboard, and how the debates went."""
    rows = []
    for row in standings.contestants:
        size = decimal(row.strength.mean, 2, signed=True)
        limits = number_interval(row.strength, signed=True) + MARK * (row.missing_end is not None)
        wins = (percent(row.win_rate), percent(row.win_rate_by_confidence_sum))
        counts = (row.debates, row.votes, row.flipped)
        place = "-" if row.place is None else row.place
        rows.append((row.agent, place, size, limits, *wins, *counts))
    headings = "contestant, rank, strength, 95% interval, wins, by sum, debates, votes, flips"
    title = "Leaderboard: strength in logits, wins in percent"
    return table(title, headings, rows, leaderboard_notes(standings))


def equal_form_block(standings: Standings) -> Block:
    """Return strengths with the words, list items and headings of both sides held equal."""
    before = {row.agent: row.strength.mean for row in standings.contestants}
    rows = []
    for row in standings.equal_form.contestants:
        size = row.strength.mean
        limits = number_interval(row.strength, signed=True) + MARK * (row.missing_end is not None)
        change = decimal(size - before[row.agent], 2, signed=True)
        rows.append((row.agent, decimal(size, 2, signed=True), limits, change))
    notes = [
        f"Twice as many {effect.what} as the other side: "
        + (
            effect.missing
            or f"{decimal(effect.size.mean, 2, signed=True)} logits (95% interval"
            f" {number_interval(effect.size, signed=True)})"
        )
        + "."
        for effect in standings.equal_form.effects
    ]
    title = "Strength at equal length and form, logits"
    return table(title, "contestant, strength, 95% interval, change", rows, notes if rows else [])


def ratings_block(standings: Standings) -> Block:
    """Return ratings that are made one debate after the other."""
    rows = [
        (
            row.agent,
            decimal(row.elo, 0),
            decimal(row.trueskill, 1),
            decimal(row.trueskill_deviation, 1),
        )
        for row in standings.contestants
        if row.debates
    ]
    title = "Ratings that hang on the order of the debates: means over shuffles"
    return table(title, "contestant, Elo, TrueSkill, deviation", rows)


def leaderboard_notes(standings: Standings) -> Iterator[str]:
    """Say what the columns and marks mean, who won by both rules, and the worth of a seat."""
    yield (
        "rank: 1 plus those whose whole interval lies above; contestants of one rank are tied."
        f" wins: {MAJORITY}; by sum: {CONFIDENCE_SUM}; a tie is half a win. flips: votes that"
        " changed with the seat order, and abstain. Intervals speak of other debates of the same"
        " contestants before the same judges."
    )
    reasons = [row.missing_end for row in standings.contestants]
    if UNBEATEN in reasons:
        yield (
            f"{MARK.strip()} from: never lost to anybody below. The votes tell from where its"
            " strength lies, and not how far up: the interval has no upper end."
        )
    if WINLESS in reasons:
        yield (
            f"{MARK.strip()} up to: never won against anybody above. The votes tell up to where its"
            " strength lies, and not how far down: the interval has no lower end."
        )
    if any(row.place is None for row in standings.contestants):
        yield f"-{MARK}: {UNCONNECTED}, so that there is no strength."
    close = standings.first_place
    if close:
        yield (
            f"Without {close.dropped:,} of all {close.votes:,} votes"
            f" ({percent(close.dropped / close.votes)}%), those that favour it most,"
            f" {close.rival} would come before {close.agent}."
        )
    outcomes = standings.outcomes
    yield winners_words(outcomes.judged, outcomes.majority, outcomes.confidence_sum)
    yield f"{votes_words(outcomes.votes)} Unanimous debates: {outcomes.unanimous:,}."
    advantage = standings.seat.advantage
    if is_defined(advantage.ci_low):
        why = standings.seat.missing_end
        yield (
            "Sitting as the proposition is worth"
            f" {decimal(advantage.mean, 2, signed=True)} logits (95% interval"
            f" {number_interval(advantage, signed=True)}{f': {why}' if why else ''})."
        )
    surer = standings.surer_side
    if surer.n:
        yield (
            f"The surer side won {percent(surer.mean)}% of {surer.n} debates"
            f"{interval_words(surer)}."
        )


def judges_block(judges: Sequence[JudgeRow]) -> Block:
    """Return flips and retest of each judge, and how often it names the proposition.

    The last column is how often it names the longer side.
    """
    rows = []
    for judge in judges:
        counts = (judge.readings, judge.missing, judge.both_orders)
        consistency = (percent(judge.flip_rate), percent(judge.retest))
        favours = (percent(judge.proposition.mean), percent(judge.longer.mean))
        rows.append((judge.judge, *counts, *consistency, *favours))
    headings = "judge, verdicts, missing, both orders, flips, retest, proposition, longer"
    title = "Judges, percent: how often they name the proposition, and the longer side"
    return table(title, headings, rows)


def effects_block(judges: Sequence[JudgeRow]) -> Block:
    """Return the effects on each judge in logits, and its self-preference in points."""
    rows = []
    for judge in judges:
        for name, words in FAVOURED.items():
            effect = judge.effects[name]
            if is_defined(effect.size):
                size = decimal(effect.size, 2, signed=True)
                rows.append((judge.judge, words, size, number_interval(effect, signed=True)))
        # Only a judge whose family sat in some debate, and some panel without it, has these rows.
        for own, words in (
            (judge.own_family, "its own family, points above the panel"),
            (judge.own_family_dbg, "its own family, above the panel's majority (DBG score)"),
        ):
            if is_defined(own.mean):
                rows.append((judge.judge, words, points(own.mean), interval(own)))
    title = "What judges favour with strengths held fixed, logits"
    return table(title, "judge, favours, by, 95% interval", rows, text_columns=2)


def agreement_block(standings: Standings) -> Block:
    """Return how far judges agree with each other."""
    alpha = standings.agreement.alpha
    rows = [
        (" / ".join(pair.judges), pair.pairs, percent(pair.same))
        for pair in standings.agreement.raw
    ]
    notes = []
    # One judge has nobody to agree with.
    if len(standings.judges) > 1:
        limits = number_interval(alpha)
        notes.append(f"Krippendorff's alpha {decimal(alpha.mean, 3)} (95% interval {limits}).")
    title = "Agreement of two judges, percent"
    return table(title, "judges, pairs, same winner", rows, notes)
