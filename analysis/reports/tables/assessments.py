"""Show how models assess answers as blocks: probabilities in percent, changes in points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.reports.assessments import Assessments
from analysis.reports.blocks import Block, table
from analysis.reports.contexts import FaithfulnessRow, WeighingRow
from analysis.reports.critiques import CritiqueRow
from analysis.reports.influence import InfluenceRow
from analysis.reports.juries import JuryRow
from analysis.reports.listeners import ConvincingRow, ListenerFindings, ListenerRow, SlopeRow
from analysis.reports.option_probabilities import OptionsRow, ReasoningRow
from analysis.reports.self_preference import SelfPreferenceRow
from analysis.reports.tables.formatting import (
    decimal,
    interval,
    is_defined,
    mean_with_interval,
    number_interval,
    p_value,
    percent,
    points,
    share_with_interval,
)
from analysis.reports.tables.oversight import oversight_blocks
from analysis.reports.tables.talks import talk_blocks
from analysis.reports.thinking import ThinkingRow
from analysis.statistics.bootstrap import Interval
from arena.text import pluralize


def assessment_blocks(found: Assessments) -> Iterator[Block]:
    """Return the findings of one study."""
    if found.options:
        yield options_block(found.options)
    if found.reasoning:
        yield reasoning_block(found.reasoning)
    if found.critiques:
        yield critiques_block(found.critiques)
    if found.listeners:
        yield from gaps_blocks(found.listeners)
        yield convincing_block(found.listeners)
    if found.thinking:
        yield from thinking_blocks(found.thinking)
    if found.self_preference:
        yield self_preference_block(found.self_preference)
    if found.faithfulness:
        yield faithfulness_block(found.faithfulness)
    if found.weighing:
        yield weighing_block(found.weighing)
    if found.jury:
        yield jury_block(found.jury)
    if found.influence:
        yield influence_block(found.influence)
    if found.oversight:
        yield from oversight_blocks(found.oversight)
    if found.talks:
        yield from talk_blocks(found.talks)


def influence_block(rows: Sequence[InfluenceRow]) -> Block:
    """Return how often a path's answer changes in each block."""
    cells = []
    for row in rows:
        shares = (row.changed, row.to_right, row.to_wrong)
        shown = (f"{percent(each.mean)} ({interval(each, 0)})" for each in shares)
        cells.append((row.arm, row.block + 1, row.paths, row.without, *shown))
    title = "Answers of paths right before and right after a block, percent (95%)"
    headings = "arm, block, paths, no answer, another answer, to right, to wrong"
    return table(title, headings, cells)


def jury_block(rows: Sequence[JuryRow]) -> Block:
    """Return which arm's texts are preferred, of each two."""
    cells = []
    notes = []
    for row in rows:
        votes = f"{percent(row.votes.mean)} ({interval(row.votes, 0)})"
        names = (row.arm, row.against, row.tasks, row.judges)
        readings = (percent(each) for each in (row.preferred.mean, row.first, row.split))
        cells.append((*names, votes, p_value(row.p_holm), *readings))
        if row.without:
            notes.append(f"{row.arm} against {row.against}: {row.without} readings are missing.")
    title = "Which text a jury that knows of no method prefers, percent of votes"
    notes.append(
        "votes: for the arm, one a judge and order; Holm: against a half, over these rows;"
        " reading: the mean of the probabilities behind the votes, where judges give them; first:"
        " votes for the text that is read first; split: judgings whose orders disagree."
    )
    headings = "arm, against, tasks, judges, votes (95%), Holm, reading, first, split"
    return table(title, headings, cells, notes, text_columns=2)


def faithfulness_block(rows: Sequence[FaithfulnessRow]) -> Block:
    """Return how often each method is right over as many right texts as wrong ones."""
    agents = {row.agent for row in rows}
    cells = [
        (
            row.method if len(agents) < 2 else f"{row.method}, {row.agent}",
            row.questions,
            share_with_interval(row.right),
            mean_with_interval(row.gain),
            p_value(row.p_holm),
        )
        for row in rows
    ]
    return table(
        "Right over right and wrong texts alike, percent, and the gain over direct input",
        "method, questions, right (95%), points over direct (95%), Holm",
        cells,
        [
            "The paper (arXiv 2410.14675): weighing in words (implicit, explicit) gains up to 24.2"
            " points over direct input with GPT-4o and GPT-4o-mini."
        ],
    )


def weighing_block(rows: Sequence[WeighingRow]) -> Block:
    """Return how often a rule takes the right one of two answers."""
    cells = []
    for row in rows:
        shares = (row.own, row.told, row.at_zero, row.tuned)
        shown = (f"{percent(each.mean)} ({interval(each, 0)})" for each in shares)
        tuned = " and ".join(decimal(each, 2) for each in row.thresholds)
        cells.append((row.signal, row.pairs, *shown, percent(row.either.mean), tuned))
    return table(
        "Own answer or what it is told, by which it is surer of, percent right (95%)",
        "signal, pairs, own, told, threshold 0, tuned, either, thresholds",
        cells,
        ["Tuned: each half of the questions is judged by the best threshold of the other half."],
    )


def with_limits(value: Interval, digits: int = 3) -> str:
    """Return a number with its interval."""
    mean = decimal(value.mean, digits)
    return f"{mean} ({number_interval(value)})" if is_defined(value.ci_low) else mean


def options_block(rows: Sequence[OptionsRow]) -> Block:
    """Return CL, CS and RSS from the probabilities of options."""
    cells = []
    notes = []
    for row in rows:
        change = row.change
        shares = (percent(each.mean) for each in (change.acc1, change.acc2, change.cl, change.cs))
        cells.append((row.arm, change.questions, *shares, with_limits(change.rss)))
        if change.reason:
            notes.append(f"{row.arm}: {change.reason}.")
        if row.left_out:
            plays = pluralize(row.left_out, "play")
            notes.append(f"{row.arm}: {plays} without all probabilities, or a right option.")
    headings = "arm, questions, Acc1, Acc2, CL, CS, RSS (95%)"
    title = "When the question is put again, by the probabilities of options, percent"
    return table(title, headings, cells, notes)


def reasoning_block(rows: Sequence[ReasoningRow]) -> Block:
    """Return the probability of the chosen option before and after reasoning."""
    cells = [
        (
            row.arm,
            row.kind,
            row.items,
            row.n,
            percent(row.before),
            percent(row.after),
            mean_with_interval(row.change),
            p_value(row.p),
        )
        for row in rows
    ]
    notes = [
        "raw: the probability of the option as a text; share: among the options. At each time:"
        " other items before than after, so that there is no paired test."
    ]
    headings = "arm, probability, items, n, before, after, points (95% interval), Wilcoxon p"
    title = "Probability of the chosen option before and after reasoning, percent"
    return table(title, headings, cells, notes, text_columns=3)


def percent_with_limits(share: Interval) -> str:
    """Return a share with its interval, in percent."""
    limits = interval(share, 0)
    return percent(share.mean) if limits == "-" else f"{percent(share.mean)} ({limits})"


def critiques_block(rows: Sequence[CritiqueRow]) -> Block:
    """Return how often critics judge replies rightly."""
    cells = [
        (
            row.arm,
            row.speaker,
            f"{row.critic} (self)" if row.own else row.critic,
            row.judged,
            percent_with_limits(row.accuracy),
            *(percent(share.mean) for share in (row.of_right, row.of_convincing, row.of_all)),
        )
        for row in rows
    ]
    notes = [
        "accuracy: the mean of the shares judged as they are of right replies and of convincing"
        " wrong ones, those with the most frequent wrong answer; 50 is chance. all: as they come."
    ]
    notes += [
        f"{row.arm}, {row.critic} of {row.speaker}: {pluralize(row.without, 'reply', 'replies')}"
        " without a verdict or a known outcome, left out."
        for row in rows
        if row.without
    ]
    headings = "arm, replies of, critic, judged, accuracy (95%), right, convincing, all"
    title = "Critiques: replies that were judged rightly, percent"
    return table(title, headings, cells, notes, text_columns=3)


def gaps_blocks(found: ListenerFindings) -> Iterator[Block]:
    """Return how well a listener's confidence and the model's own fit the same answers."""
    names = [listener_name(row) for row in found.gaps]
    several = len(set(names)) > 1
    fits = []
    ranks = []
    for name, row in zip(names, found.gaps, strict=True):
        gap = row.gap
        label = (*([name] if several else []), row.reply, gap.n)
        eces = decimal(gap.ece_model, 3), decimal(gap.ece_listener, 3)
        means = points(gap.difference.mean), points(gap.overconfidence.mean)
        fits.append((*label, *eces, with_limits(gap.ece_gap), *means))
        areas = decimal(gap.auroc_model, 3), decimal(gap.auroc_listener, 3)
        ranks.append((*label, *areas, with_limits(gap.auroc_gap)))
    by = "" if several else f", {names[0]}"
    first = "listener, " if several else ""
    columns = 2 if several else 1
    notes = [
        "gap: listener minus model; surer: the listener's mean minus the model's; over: the"
        " listener's mean minus the share right, points."
    ]
    notes += [
        f"{listener_name(row)}, {row.reply}: left out {row.without:,} without a number or an"
        f" outcome, {row.unfair:,} that state a number or another answer."
        for row in found.gaps
        if row.without or row.unfair
    ]
    headings = f"{first}reply, n, model's ECE, listener's, calibration gap (95%), surer, over"
    yield table(f"Listener gap{by}: calibration", headings, fits, notes, text_columns=columns)
    headings = f"{first}reply, n, model's AUROC, listener's, discrimination gap (95%)"
    notes = ["gap: model minus listener."]
    yield table(f"Listener gap{by}: discrimination", headings, ranks, notes, text_columns=columns)


def listener_name(row: ListenerRow | ConvincingRow | SlopeRow) -> str:
    """Return who listened to whom."""
    return f"{row.listener} on {row.speaker} ({row.arm})"


def convincing_block(found: ListenerFindings) -> Block:
    """Return whether longer explanations and surer words make listeners surer."""
    several = len({listener_name(row) for row in found.convincing}) > 1
    cells = []
    for row in found.convincing:
        kinds = f"{row.more} over {row.less}"
        changes = map(mean_with_interval, (row.change, row.of_right, row.of_wrong))
        named = (f"{listener_name(row)}: {kinds}" if several else kinds, row.n)
        cells.append((*named, *changes, p_value(row.p)))
    notes = [
        f"{listener_name(row)}: the logit of its confidence rises by {with_limits(row.slope)} with"
        " ln(characters), within answers."
        for row in found.slopes
        if is_defined(row.slope.mean)
    ]
    headings = (
        "explanations, pairs, points (95% interval), of right ones, of wrong ones, Wilcoxon p"
    )
    title = "What makes listeners surer of the same answers"
    return table(title, headings, cells, notes)


def thinking_blocks(rows: Sequence[ThinkingRow]) -> Iterator[Block]:
    """Return what models say that they do not know, and their confidence by length."""
    fits = []
    lengths = []
    for row in rows:
        auroc = with_limits(row.scores.auroc)
        gap = points(row.scores.gap.mean)
        known = percent_with_limits(row.unknown_share)
        right = percent(row.accuracy)
        fits.append((row.arm, row.n, known, right, decimal(row.scores.ece, 3), auroc, gap))
        rhos = (row.length_all, row.length_right, row.length_wrong)
        lengths.append((row.arm, row.rated, *(with_limits(rho, 2) for rho in rhos)))
    headings = "arm, replies, do not know (95%), right, ECE, AUROC (95%), gap"
    title = "Replies that say that they do not know, percent; the others, right and how sure"
    yield table(title, headings, fits)
    headings = "arm, rated, rho (95%), of right ones, of wrong ones"
    title = "Confidence against the length of reasoning (Spearman)"
    notes = ["Below 0: the shorter, the surer."]
    notes += [f"{row.arm}: {decimal(row.length, 0)} {row.unit} a reply on average." for row in rows]
    yield table(title, headings, lengths, [*notes, *without_rho(rows)])


def without_rho(rows: Sequence[ThinkingRow]) -> Iterator[str]:
    """Yield why a correlation has no value or no interval."""
    for row in rows:
        found = {"all": row.length_all, "right": row.length_right, "wrong": row.length_wrong}
        never = [name for name, rho in found.items() if not is_defined(rho.mean)]
        hardly = [
            name
            for name, rho in found.items()
            if is_defined(rho.mean) and not is_defined(rho.ci_low)
        ]
        if never:
            yield f"{row.arm}, {' and '.join(never)}: no rho, length or confidence never differs."
        if hardly:
            yield (
                f"{row.arm}, {' and '.join(hardly)}: no interval, length or confidence hardly"
                " differs."
            )


def self_preference_block(rows: Sequence[SelfPreferenceRow]) -> Block:
    """Return how far models prefer their own answers, by the paper's rule and by ours."""
    criteria = {row.criterion for row in rows}
    cells = []
    for row in rows:
        against = f"{row.agent} over {row.other}"
        pair = f"{against} ({row.criterion})" if len(criteria) > 1 else against
        wins = percent(row.by_itself), percent(row.by_panel)
        flips = percent(row.flips), percent(row.panel_flips)
        changes = mean_with_interval(row.dbg), mean_with_interval(row.share)
        cells.append((row.arm, pair, row.questions, *wins, *changes, *flips))
    notes = [
        "by itself, by panel: its wins, a tie half; DBG: the difference, points; share: the same of"
        " shares of votes, which a fair judge that is unsure does not lose by; flips: another"
        " answer in the other order, of itself and of the panel."
    ]
    for row in rows:
        said = [] if row.panel else ["no judge outside the pair, so that there is no difference"]
        if row.by == "words":
            said.append("read in words, where the paper has probabilities")
        if row.flips > 0:
            said.append(f"{percent(row.to_first)}% of its flips are for the one that is read first")
        if row.panel and row.without:
            questions = pluralize(row.without, "question")
            said.append(f"{questions} without a reading of itself or of the panel, left out")
        if said:
            notes.append(f"{row.arm}, {row.agent} over {row.other}: {'; '.join(said)}.")
    headings = (
        "arm, answers, questions, by itself, by panel, DBG (95%), share (95%), flips, panel's"
    )
    title = "Self-preference: wins by one's own judgment and by a panel, percent"
    return table(title, headings, cells, notes, text_columns=2)
