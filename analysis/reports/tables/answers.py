"""Show the answers of a study as blocks: shares in percent, differences in points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from analysis.reports.answers import AnswerFindings, ArmRow, DifferenceRow
from analysis.reports.blocks import Block, sentences_block, table
from analysis.reports.contrasts import ALL_TOGETHER, ContrastRow
from analysis.reports.method_contrasts import OWN_START
from analysis.reports.tables.formatting import (
    decimal,
    interval,
    is_defined,
    mean_with_interval,
    number_interval,
    p_value,
    percent,
    share_with_interval,
)
from analysis.statistics.answer_changes import Change
from analysis.statistics.bootstrap import Interval
from arena.text import pluralize

ONCE = (
    "Only seats that answered more than once are counted: a talk that ends when all agree is in"
    " these rows where they did not agree at once."
)
# All pairs of ten arms still fit on a page.
MOST_PAIRS = 45
FEW_PAIRS = 10
NONE_READ = "- where no answer of one of the two arms can be read: there is nothing to compare."
# Sources of numbers that may be called a confidence.
CALLED_SO = ("stated", "scored", "unknown")


def answer_blocks(answers: AnswerFindings, simulated: bool) -> Iterator[Block]:
    """Return the answers of one study, marked if models were simulated."""
    yield heading_block(answers, simulated)
    yield accuracy_block(answers.arms)
    yield models_block(answers)
    yield differences_block(answers.differences)
    yield from contrasts_blocks(answers.contrasts)
    yield spent_block(answers)
    yield paths_block(answers.arms)
    yield changes_block(answers.arms)
    yield from flip_blocks(answers)
    yield confidence_block(answers.arms)


def heading_block(answers: AnswerFindings, simulated: bool) -> Block:
    """Say how many plays of how many questions there are, and which are pooled."""
    questions = pluralize(answers.questions, "question")
    plays = pluralize(answers.episodes.done, "play")
    unfinished = ", ".join(answers.episodes.unfinished)
    left_out = f"; left out: {unfinished}" if unfinished else ""
    notes = [
        f"Answers{' of SIMULATED models' if simulated else ''} to {questions} in {plays}{left_out}"
    ]
    if answers.pooled:
        notes.append(
            f"POOLED: plays with different options of {', '.join(answers.pooled)}; give studies"
            " names of their own to keep them apart"
        )
    return sentences_block(*notes)


def accuracy_block(arms: Sequence[ArmRow]) -> Block:
    """Return accuracy by arm."""
    rows = []
    notes = []
    for arm in arms:
        row = arm.accuracy.share
        counts = (arm.arm, row.questions, row.plays)
        rows.append((*counts, *share_cells(row.all), row.unreadable, *share_cells(row.readable)))
        if row.unreadable:
            reasons = ", ".join(f"{reason} {n:,}" for reason, n in arm.unreadable_because.items())
            notes.append(f"unreadable in {arm.arm}: {reasons}")
    headings = "arm, questions, plays, right, 95% interval, unreadable, of readable, 95% interval"
    title = "Right answers, percent; unreadable ones count as not right"
    return table(title, headings, rows, notes)


def models_block(answers: AnswerFindings) -> Block:
    """Return accuracy by arm and models, if an arm has several."""
    rows = []
    for row in answers.by_model:
        share = row.accuracy.share
        counts = (row.arm, row.models, share.plays)
        rows.append((*counts, *share_cells(share.all), share.unreadable))
    headings = "arm, models, plays, right, 95% interval, unreadable"
    return table("Right answers by models, percent", headings, rows, text_columns=2)


def share_cells(share: Interval) -> tuple[str, str]:
    """Return a share and its interval in percent."""
    return percent(share.mean), interval(share)


def differences_block(differences: Sequence[DifferenceRow]) -> Block:
    """Return each two arms on their common questions; of many arms only against the first."""
    shown = [row for row in differences if row.difference.questions]
    notes: list[str] = []
    if apart := len(differences) - len(shown):
        notes.append(f"Left out: {pluralize(apart, 'pair')} of arms without a common question.")
    if len(shown) > MOST_PAIRS:
        notes.append(f"Of {len(shown)} pairs those with the first arm; --json has all.")
        shown = [row for row in shown if row.against == shown[0].against]
    # A test by question needs the same number of plays of a question in both arms.
    read = [row.difference for row in shown if is_defined(row.difference.all.mean)]
    if not all(is_defined(each.p) for each in read):
        notes.append("No p where two arms did not play each question equally often.")
    if len(read) < len(shown):
        notes.append(NONE_READ)
    notes += few_pairs_notes(row.difference.questions for row in shown)
    rows = []
    for row in shown:
        change = row.difference
        counts = (change.better, change.worse)
        known = is_defined(change.all.mean)
        moved = (mean_with_interval(change.all), *(counts if known else ("-", "-")))
        tests = (p_value(change.p), p_value(row.p_holm))
        rows.append((row.arm, row.against, change.questions, *moved, *tests))
    headings = "arm, against, questions, points (95% interval), better, worse, exact p, Holm"
    title = "Difference of two arms on the same questions"
    return table(title, headings, rows, notes, text_columns=2)


def contrasts_blocks(contrasts: Sequence[ContrastRow]) -> Iterator[Block]:
    """Return what sets arms apart, each by its name, on paths and on final answers."""
    of_paths, of_final = [], []
    for row in contrasts:
        named = (row.isolates, row.arm, row.against, row.paths.clusters)
        # Arms of most methods have no paths.
        if is_defined(row.paths.mean):
            of_paths.append((*named, mean_with_interval(row.paths), p_value(row.paths_p_holm)))
        named = (*named[:3], row.final.questions)
        of_final.append((*named, mean_with_interval(row.final.all), p_value(row.final_p_holm)))
    headings = "isolates, arm, against, questions, points (95% interval), Holm"
    title = "What sets the arms apart: right paths (Pass@1)"
    yield table(title, headings, of_paths, contrast_notes(contrasts), text_columns=3)
    unread = any(row.final.questions and not is_defined(row.final.all.mean) for row in contrasts)
    title = "What sets the arms apart: final answers"
    yield table(title, headings, of_final, [NONE_READ] if unread else [], text_columns=3)


def flip_blocks(answers: AnswerFindings) -> Iterator[Block]:
    """Return how often seats changed their answers, and how much of it others bring about."""
    rows = [
        (
            row.arm,
            row.seats,
            row.unreadable,
            *map(share_with_interval, (row.flipped, row.to_right, row.to_wrong)),
        )
        for row in answers.flips
    ]
    headings = "arm, seats, unreadable, flipped % (95% interval), to right, to wrong"
    notes = [ONCE] if rows else []
    yield table("Another answer at the end than at the beginning", headings, rows, notes)
    contrasts = [
        (
            *(row.isolates, row.arm, row.against, row.difference.clusters),
            mean_with_interval(row.difference),
            p_value(row.p_holm),
        )
        for row in answers.flip_contrasts
    ]
    headings = "isolates, arm, against, questions, points (95% interval), Holm"
    yield table("What makes seats change their answers", headings, contrasts, text_columns=3)


def contrast_notes(contrasts: Sequence[ContrastRow]) -> list[str]:
    """Warn of few questions, and of a comparison with nothing between its two ends."""
    notes = few_pairs_notes(row.paths.clusters for row in contrasts)
    if any(row.isolates == OWN_START for row in contrasts):
        notes.append("a start of its own: the paper's gap, Pass@1 without less with a wrong start.")
    if contrasts and {row.isolates for row in contrasts} == {ALL_TOGETHER}:
        notes.append(
            "NO CONTROL ARMS: the prompt, the cuts and the block are in these differences as well"
            " as the peers; the study `leap` has the arms that tell them apart."
        )
    return notes


def few_pairs_notes(pairs: Iterable[int]) -> list[str]:
    """Warn of differences of shares that rest on too few pairs to be trusted."""
    few = min((number for number in pairs if number), default=FEW_PAIRS)
    if few >= FEW_PAIRS:
        return []
    return [f"FEW PAIRS: differences of fewer than {FEW_PAIRS} (here {few}) show hardly anything."]


def spent_block(answers: AnswerFindings) -> Block:
    """Return accuracy beside the means of a play, and whether all arms had the same budget."""
    rows = []
    unknown: list[tuple[str, str]] = []
    for arm in answers.arms:
        row = arm.accuracy
        used = (decimal(mean, 1) for mean in (row.answered, row.tokens_in, row.tokens_out))
        right = percent(row.share.all.mean)
        rows.append((arm.arm, right, *used, dollars(row.cost_usd), decimal(row.routes, 1)))
        for count, words in ((row.tokens_out_unknown, "tokens"), (row.cost_usd_unknown, "dollars")):
            if count:
                whole = f"{count:,} of {row.share.plays:,}"
                some = "all" if count == row.share.plays else whole
                unknown.append((f"{words} of {some} plays", arm.arm))
    notes: list[str] = []
    if answers.budget:
        equal = (
            "All arms had the same budget per question: calls with a reply, and generated tokens."
        )
        # An unequal budget stands in capitals: accuracy is not comparable without it.
        notes += answers.budget.notes or [equal]
    if unknown:
        # Arms with the same words are named together.
        said = {words: [arm for each, arm in unknown if each == words] for words, _ in unknown}
        parts = (
            f"{words} of {'every arm' if len(names) == len(answers.arms) else ', '.join(names)}"
            for words, names in said.items()
        )
        notes.append(f"Unknown, and left out of the means: {'; '.join(parts)}.")
    headings = "arm, right, replies, tokens in, generated, dollars, summaries"
    return table("What a question took, mean per play", headings, rows, notes)


def dollars(value: float) -> str:
    """Return dollars with as many digits as small sums need, or "-"."""
    # A play may take a thousandth of a cent.
    return f"{value:.4g}" if is_defined(value) else "-"


def paths_block(arms: Sequence[ArmRow]) -> Block:
    """Return how often paths are right one by one, by majority, and at best."""
    rows = []
    for arm in arms:
        paths = arm.paths
        if paths:
            least, most = paths.n_min, paths.n_max
            # Of answers that nobody could read, none is known to be wrong.
            known = paths.unreadable < paths.paths
            shares = (
                f"{percent(share.mean)} ({interval(share, 0)})" if known else "-"
                for share in (paths.pass_at_1, paths.cons_at_n, paths.any)
            )
            number = str(most) if least == most else f"{least} to {most}"
            final = percent(arm.accuracy.share.all.mean)
            unreadable = percent(paths.unreadable / paths.paths)
            rows.append((arm.arm, number, *shares, final, unreadable))
    headings = "arm, n, Pass@1 (95%), Cons@n (95%), any right (95%), final, no answer"
    return table("Paths, percent", headings, rows)


def changes_block(arms: Sequence[ArmRow]) -> Block:
    """Return who changed from right to wrong and back."""
    rows = []
    notes = []
    for arm in arms:
        for row in arm.changes:
            change = row.all
            counts = (change.right_to_wrong, change.wrong_to_right)
            moved = counts if change.n else ("-", "-")
            scores = (
                percent(score.mean) for score in (change.acc1, change.acc2, change.cl, change.cs)
            )
            rss = decimal(change.rss.mean, 3)
            if is_defined(change.rss.ci_low):
                rss += f" ({number_interval(change.rss)})"
            rows.append((arm.arm, row.what, row.pairs, *moved, *scores, rss))
            if row.unreadable and change.n:
                notes.append(
                    f"{arm.arm}, {row.what}: {row.unreadable:,} pairs with an unreadable answer,"
                    f" counted as not right; {readable_words(row.of_readable)}."
                )
            # Such as: all first answers are right, so that none can become right.
            if change.reason:
                notes.append(f"{arm.arm}, {row.what}: {change.reason}.")
    headings = "arm, what, pairs, to wrong, to right, Acc1, Acc2, CL, CS, RSS (95%)"
    title = "Who changed: right to wrong, wrong to right; Acc, CL, CS in percent"
    return table(title, headings, rows, notes, text_columns=2)


def readable_words(change: Change) -> str:
    """Say how answers changed among the pairs in which both can be read."""
    scores = (percent(score.mean) for score in (change.acc1, change.acc2, change.cl, change.cs))
    named = zip(("Acc1", "Acc2", "CL", "CS"), scores, strict=True)
    return f"without them {', '.join(f'{name} {score}' for name, score in named)}"


def confidence_block(arms: Sequence[ArmRow]) -> Block:
    """Return how well confidence fits correctness, be it stated, a vote share or a probability."""
    rows = []
    notes = []
    for arm in arms:
        for row in arm.calibration:
            auroc = row.scores.auroc
            ranked = "-"
            if is_defined(auroc.mean):
                ranked = f"{decimal(auroc.mean, 3)} ({number_interval(auroc)})"
            errors = (decimal(error, 3) for error in (row.brier.mean, row.scores.ece))
            areas = (row.auprc_right, row.auprc_wrong, row.selective_accuracy)
            scores = (*errors, ranked, *(decimal(area, 3) for area in areas))
            of = f"{row.what}, {row.source}"
            rows.append((arm.arm, of, row.n, *scores, percent(row.scores.gap.mean)))
            if row.without:
                notes.append(
                    f"{arm.arm}, {row.what}: {row.without:,} without confidence or unreadable, left"
                    " out."
                )
    headings = "arm, of, n, Brier, ECE, AUROC (95%), AUPRC+, AUPRC-, selective, gap"
    sources = {row.source for arm in arms for row in arm.calibration}
    named = dict.fromkeys("confidence" if each in CALLED_SO else each for each in sorted(sources))
    title = f"{' and '.join(named) or 'confidence'} against correctness"
    return table(title[0].upper() + title[1:], headings, rows, notes, text_columns=2)
