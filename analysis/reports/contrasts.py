"""Name what sets the arms of a study apart, LeaP's above all, and estimate it by question.

LeaP beside independent paths ("Learning from Peers in Reasoning Models", Tongxu Luo et al., arXiv
2505.07787) compares several things at once: the words of the prompt, thoughts that are cut into
turns, the block in which a path sums up, and what peers say.  Two arms between which only one of
them changes are a contrast with its name; so is the whole.  What an arm plays follows from its
protocol and options in the record, not from its label.

Both estimates are paired over questions: of paths (Pass@1) the mean difference with Student's t,
questions as clusters; of final answers, the vote, what `paired_difference` says of any two arms.
Left out: arms that differ in more, in their number of paths say.  Arms of other methods that
differ in one option have their names in method_contrasts.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import permutations
from math import nan
from typing import Annotated, Literal

import numpy as np

from analysis.read.answers import AnswerRecord, Options, Plays
from analysis.reports.method_contrasts import NAMES, OWN_START, method_contrasts
from analysis.reports.plain_json import INLINE, JsonField, interval_as
from analysis.statistics.accuracy import (
    Difference,
    paired_difference,
    path_scores,
)
from analysis.statistics.clustered import (
    CHANGE,
    Array,
    Codes,
    Mask,
    MeanEstimate,
    clustered_mean,
    divide,
    sums_by_code,
)
from analysis.statistics.multiplicity import holm

# How far an arm goes: a thought in one piece, one in turns, summaries that no other path reads,
# summaries of peers.
Step = Literal["whole", "turns", "block", "peers"]
PROMPT = "the prompt"
CUTS = "the cuts"
BLOCK = "the block"
CUTS_AND_BLOCK = "cuts and block"
PEERS = "the peers"
ALL_TOGETHER = "all together"
BY_STEPS = (PROMPT, CUTS, BLOCK, CUTS_AND_BLOCK, PEERS, ALL_TOGETHER)
ORDER = (*BY_STEPS, *NAMES)
BETWEEN: Mapping[tuple[Step, Step], str] = {
    ("whole", "turns"): CUTS,
    ("turns", "block"): BLOCK,
    ("whole", "block"): CUTS_AND_BLOCK,
    ("block", "peers"): PEERS,
}
# An option at its default is not in the record.
PATHS = {"leap": 4, "leap_segmented": 4, "self_consistency": 16}
TURNS_OF_SEGMENTED = 5
# Options that say how far an arm goes, or nothing where no path reads another.
OF_STEPS = ("communication", "prompt", "router", "top_k", "similarity", "strip_lead", "finished")
VOTE = JsonField(parts={"all": INLINE, "readable": interval_as("of_readable")})


@dataclass(frozen=True, slots=True)
class Kind:
    """What an arm plays: how far it goes, by which prompt, with how many paths.

    `sizes` are the other options, None where those of another arm do not apply; `agents` are the
    names of those who sat in it.
    """

    protocol: str
    step: Step
    plain: bool
    paths: object
    sizes: Mapping[str, object] | None
    agents: frozenset[str]


@dataclass(frozen=True, slots=True)
class ContrastRow:
    """By how much `arm` is more often right than `against`, which lacks `isolates` alone.

    `paths` is the difference of Pass@1, `final` that of final answers; p is adjusted by Holm's
    method over the rows.
    """

    isolates: str
    arm: str
    against: str
    paths: MeanEstimate
    final: Annotated[Difference, VOTE]
    paths_p_holm: float = nan
    final_p_holm: float = nan


def contrast_rows(record: AnswerRecord) -> tuple[ContrastRow, ...]:
    """Return the contrasts of a study's arms, in the order of ORDER; none if none has a name."""
    kinds = [
        kind_of(protocol, options, agents_of(record, number))
        for number, (protocol, options) in enumerate(
            zip(record.protocols, record.options, strict=True)
        )
    ]
    found = [
        (name, later, earlier)
        for later, earlier in permutations(range(len(kinds)), 2)
        if (name := isolated(kinds[later], kinds[earlier])) is not None
    ]
    if any(name == CUTS for name, *_ in found):
        # The arm between them tells the two apart.
        found = [each for each in found if each[0] != CUTS_AND_BLOCK]
    found += method_contrasts(record)
    if not found:
        return ()
    shares = path_shares(record)
    # Paths are LeaP's: what other methods return beside their answer are no paths of one thought.
    without = np.full_like(shares, nan)
    of_leap = (OWN_START, *BY_STEPS)
    rows = [
        contrast_row(record, shares if each[0] in of_leap else without, *each) for each in found
    ]
    rows.sort(key=lambda row: ORDER.index(row.isolates))
    of_paths = holm([row.paths.p for row in rows]).tolist()
    of_final = holm([row.final.p for row in rows]).tolist()
    return tuple(
        replace(row, paths_p_holm=p, final_p_holm=q)
        for row, p, q in zip(rows, of_paths, of_final, strict=True)
    )


def agents_of(record: AnswerRecord, arm: int) -> frozenset[str]:
    """Return the names of the agents of an arm, without the settings that tell some apart.

    Independent replies may be longer, by their sampling, than the turns of others.
    """
    seated = {record.models[number] for number in record.plays.models[record.plays.arm == arm]}
    return frozenset(label.partition(" [")[0] for label in seated)


def kind_of(protocol: str, options: Options | None, agents: frozenset[str]) -> Kind | None:
    """Return what an arm plays; None if it is not LeaP and no control of it, or is pooled."""
    if options is None or protocol not in PATHS:
        return None
    paths = options.get("paths", PATHS[protocol])
    if protocol == "self_consistency":
        return Kind(protocol, "whole", True, paths, None, agents)
    reads_nobody = options.get("router") == "none"
    step: Step = "block" if reads_nobody else "peers"
    if protocol == "leap_segmented":
        turns = options.get("turns", TURNS_OF_SEGMENTED)
        sizes = None if turns == 1 else {"turns": turns, "words": options.get("words")}
        return Kind(protocol, "whole" if turns == 1 else step, False, paths, sizes, agents)
    communication = str(options.get("communication", "every"))
    alone: dict[str, Step] = {"uncut": "whole", "never": "turns"}
    others = {name: value for name, value in options.items() if name not in (*OF_STEPS, "paths")}
    if communication == "once":
        # Its vote is that of one path: another thing than all the other arms have.
        others["communication"] = communication
    plain = options.get("prompt") == "plain" or bool(options.get("trained"))
    return Kind(protocol, alone.get(communication, step), plain, paths, others, agents)


def isolated(after: Kind | None, before: Kind | None) -> str | None:
    """Return what alone sets an arm apart from one that lacks it, None if more does, or nothing."""
    if after is None or before is None:
        return None
    votes = "self_consistency"
    if (after.paths, after.agents) != (before.paths, before.agents) or after.protocol == votes:
        return None
    if before.protocol not in (votes, after.protocol):
        return None
    if None not in (after.sizes, before.sizes) and after.sizes != before.sizes:
        return None
    independent = before.plain and before.step == "whole"
    if independent and after.step == "peers":
        return ALL_TOGETHER
    if after.plain != before.plain:
        return PROMPT if independent and after.step == "whole" else None
    return BETWEEN.get((before.step, after.step))


def path_shares(record: AnswerRecord) -> Array:
    """Return (E,) the share of each play's paths that are right; nan without paths.

    Also nan in an arm of whose paths none has an answer that can be read.
    """
    answers = record.all_answers
    mine = answers.path
    plays = record.plays.correct.size
    found = path_scores(answers.correct[mine], answers.vote[mine], answers.play[mine], plays)
    shares = found.share.copy()
    for arm in range(len(record.arms)):
        own = record.plays.arm == arm
        if (found.n == found.unreadable)[own].all():
            shares[own] = nan
    return shares


def contrast_row(
    record: AnswerRecord, shares: Array, name: str, later: int, earlier: int
) -> ContrastRow:
    """Return the contrast of two arms by their numbers."""
    plays = record.plays
    mine, other = plays.arm == later, plays.arm == earlier
    means = [
        mean_by_question(shares[chosen], plays.question[chosen], record.questions)
        for chosen in (mine, other)
    ]
    # A question that one of them has not played is nan, and left out.
    paths = clustered_mean((means[0] - means[1])[:, None], within=CHANGE)
    final = difference_of(plays, mine, other)
    return ContrastRow(name, record.arms[later], record.arms[earlier], paths, final)


def difference_of(plays: Plays, mine: Mask, other: Mask) -> Difference:
    """Return by how much the plays of `mine` are more often right than those of `other`.

    Nothing but the number of common questions where no answer of one of the two can be read: an
    interval would be about the reading alone.
    """
    codes = plays.question[mine], plays.question[other]
    correct = plays.correct[mine], plays.correct[other]
    if not any(np.isnan(each).all() for each in correct):
        return paired_difference(correct[0], codes[0], correct[1], codes[1])
    none, no_codes = correct[0][:0], codes[0][:0]
    nothing = paired_difference(none, no_codes, none, no_codes)
    return replace(nothing, questions=np.intersect1d(*codes).size)


def mean_by_question(values: Array, question: Codes, questions: int) -> Array:
    """Return (questions,) means of values (N,) by question; nan for one without."""
    means: Array = divide(*sums_by_code(values[:, None], question, questions))[:, 0]
    return means
