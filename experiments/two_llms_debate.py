"""Do debaters think they will win?  A study to copy and change.

The paper is "When Two LLMs Debate, Both Think They'll Win" (arXiv 2505.19184).

    arena run two_llms_debate                          simulated debaters, no key, a second
    arena run two_llms_debate -o preset=informed       another of the paper's configurations
    arena run two_llms_debate -o ratings=likelihood,stake,scored,win_and_lose
                                                       one arm for each way to ask for the rating
    arena run two_llms_debate -o controls=all          the debate beside five control arms
    arena run two_llms_debate -o form=chat             prompts as a chat, not as a transcript
    arena run two_llms_debate -o replies=schema        replies by a schema, where a model serves it
    arena run two_llms_debate --vary form -o repeats=2 both forms in turn, in one study
    arena run two_llms_debate -o preset=cross_model \\
        -o models=http/a@URL,http/b@URL -o motions=my.jsonl
    python two_llms_debate.py preset=informed     this file as a program: the paper's numbers too

`preset` is one of the paper's six configurations.  In cross_model every model meets every other, in
both seats; in the others it meets itself.  `ratings` plays it once for each of these ways to ask
for a rating, as arms of one study: the same debaters on the same motions, stated, staked, paid by
Brier's rule, or with the chances of winning and of losing asked apart.

`form` and `replies` are ours (protocols/debate_prompts.py), and studies of their own: the paper has
a transcript in one message, and tags.

`controls` plays it beside control arms, without which a rise in confidence cannot be read: a rating
before any speech (`before`), no opponent (`unheard`), the opponent's speeches from a debate on
another motion (`misplaced`), asked once at the end (`once`), never asked (`never`), or `all` of
them.  The report then has a table of contrasts, each of which isolates one thing.  The paper has no
such arms.

Comparable with the paper's table: the confidence by phase, and that it rises.  Not comparable: the
paper's models were of spring 2025; its prompts are its own; cross_model drew 60 pairings from five
tournament rounds, while this study plays all pairs; self, informed and public used three motions
and two repeats.  With the simulated debaters nothing can be compared: their confidence was planted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from agents import agent
from analysis.reports.debates import study_reports
from analysis.reports.tables.debates import print_report
from analysis.reports.tables.formatting import decimal, percent
from arena import MOTIONS, Arena, Arm, Sampling, Study, against_itself, round_robin
from arena import motions as read_motions
from arena.cli.study_program import run_study_program
from protocols.debate import PRESETS, debate
from protocols.debate_controls import CONTROLS
from protocols.debate_prompts import PromptForm, Rating
from protocols.structured import Replies

Preset = Literal["cross_model", "self", "informed", "public", "red_team", "multi_round"]
Control = Literal["all", "before", "unheard", "misplaced", "once", "never"]

DEBATERS = ["sim/modest", "sim/confident", "sim/overconfident"]
AS_IN_PRESET: list[Rating] = []
NONE: list[Control] = []
# Mean confidence in percent by phase, as published; phases that the paper does not print are
# recomputed from its published data.
PAPER = {
    "cross_model": {"opening": 72.92, "rebuttal": 77.67, "closing": 83.26},
    "self": {"opening": 64.08, "closing": 75.20},
    "informed": {"opening": 50.00, "closing": 57.08},
}


def study(
    *,
    models: list[str] = DEBATERS,
    preset: Preset = "self",
    motions: str | None = None,
    repeats: int = 1,
    max_tokens: int | None = None,
    ratings: list[Rating] = AS_IN_PRESET,
    controls: list[Control] = NONE,
    form: PromptForm = "transcript",
    replies: Replies = "tags",
) -> Study:
    """Return one configuration of the paper, with these models, on these motions.

    `motions` is a file, or the motions that come with the package.  `max_tokens` bounds a reply
    (the paper set no bound).  `ratings` has an arm for each; without any there is one arm, in which
    the preset says how the rating is asked for.  `controls` has a further arm for each.  Misplaced
    speeches are on others of the same motions, on the package's where there is only one.
    """
    agents = [agent(reference, sampling=Sampling(max_tokens=max_tokens)) for reference in models]
    lineups = list(round_robin(agents) if preset == "cross_model" else against_itself(agents))
    subjects = read_motions(motions) if motions else MOTIONS
    texts = tuple(subject.text for subject in subjects)
    # Only where they are not the paper's, so that --vary may set them.
    options = dict(PRESETS[preset])
    if form != "transcript":
        options["form"] = form
    if replies != "tags":
        options["replies"] = replies
    labels: Sequence[str] = ratings or [preset]
    plain = {each: {**options, "rating": each} if ratings else options for each in labels}
    arms = [Arm(label, debate, lineups, options) for label, options in plain.items()]
    for label, options in plain.items():
        for control, change in CONTROLS.items():
            if control not in controls and "all" not in controls:
                continue
            others = motions and control == "misplaced" and len(texts) > 1
            beside = {"other_motions": texts} if others else {}
            name = control if len(plain) == 1 else f"{label}, {control}"
            arms.append(Arm(name, debate, lineups, {**options, **change, **beside}))
    kind = preset + "_ratings" * bool(ratings) + "_controls" * bool(controls)
    kind += "_chat" * (form == "chat") + "_schema" * (replies == "schema")
    return Study(f"two_llms_debate_{kind}", arms, subjects, repeats)


def show_results(arena: Arena, played: Study) -> None:
    """Print the study's report, and its mean confidences beside the paper's."""
    [report] = study_reports(arena.path, played.name)
    print_report([report])
    # No published means for the other presets: a dash stands there.
    paper = PAPER.get(played.arms[0].label, {})
    print("\nMean confidence in percent       here   paper")
    for phase in report.debates.phases if report.debates else ():
        here = percent(phase.rating.mean, 2)
        there = decimal(paper.get(phase.phase), 2)
        print(f"  {phase.phase:12} (n = {phase.rating.n:4})  {here:>9}  {there:>6}")
    if report.simulated:
        print(
            "SIMULATED: the left column shows the confidence planted in simulated debaters;"
            " it cannot be compared with the paper's."
        )
    else:
        print(
            "The paper had other models, prompts, pairings and motions:"
            " see the beginning of this file."
        )


if __name__ == "__main__":
    run_study_program(__file__, show_results)
