"""Do debaters think they will win?  The study of "When Two LLMs Debate, Both Think They'll Win" (arXiv 2505.19184), to copy and change.

    python experiments/two_llms_debate.py                     simulated debaters, no key, a second
    arena run experiments/two_llms_debate.py -o preset=cross_model -o models=http/a@URL,http/b@URL -o motions=my.jsonl

`preset` is one of the paper's six configurations.  In cross_model every model meets every other, in both seats; in the others it meets itself.

What can be compared with the paper's table: the confidence by phase, and that it rises.  What cannot: the paper's models were of spring 2025;
its prompts are its own; cross_model drew 60 pairings from five tournament rounds, where we play all pairs; self, informed and public used
three motions and two repeats.  With the simulated debaters nothing can be compared: they say what was put into them.
"""

from __future__ import annotations

import sys
from typing import Literal

from agents import agent
from analysis.reports.debates import study_reports
from analysis.reports.tables.debates import print_report
from analysis.reports.tables.formatting import percent
from arena import MOTIONS, Arena, ArenaError, Arm, Sampling, Study, against_itself, round_robin
from arena import motions as read_motions
from arena.tournaments.study_file import load_study
from protocols.debate import PRESETS, debate

Preset = Literal["cross_model", "self", "informed", "public", "red_team", "multi_round"]

# Mean confidence in percent by phase, as published (recomputed from the published data for the phases that the paper does not print).
PAPER = {
    "cross_model": {"opening": 72.92, "rebuttal": 77.67, "closing": 83.26},
    "self": {"opening": 64.08, "closing": 75.20},
    "informed": {"opening": 50.00, "closing": 57.08},
}


def study(
    *,
    models: list[str] = ["sim/modest", "sim/confident", "sim/overconfident"],  # noqa: B006 (read, never changed)
    preset: Preset = "self",
    motions: str | None = None,
    repeats: int = 1,
    max_tokens: int | None = None,
) -> Study:
    """One configuration of the paper, with these models, on these motions; `max_tokens` bounds a reply (the paper set no bound)."""
    agents = [agent(reference, sampling=Sampling(max_tokens=max_tokens)) for reference in models]
    lineups = round_robin(agents) if preset == "cross_model" else against_itself(agents)
    subjects = read_motions(motions) if motions else MOTIONS
    return Study(
        f"two_llms_debate_{preset}",
        [Arm(preset, debate, lineups, PRESETS[preset])],
        subjects,
        repeats,
    )


def main(options: list[str]) -> int:
    """Play the study with options such as "preset=informed"; print its report, and its means beside the paper's."""
    made = load_study(__file__, options)
    arena = Arena()
    summary = arena.run(made)
    print(summary)
    [report] = study_reports(arena.path, made.name)
    print_report([report])
    preset = made.arms[0].label
    print("\nMean confidence in percent       here   paper")
    for phase in report.debates.phases if report.debates else ():
        here = percent(phase.rating.mean, 2)
        paper = PAPER.get(preset, {}).get(phase.phase)
        print(
            f"  {phase.phase:12} (n = {phase.rating.n:4})  {here:>9}  {'-' if paper is None else f'{paper:.2f}':>6}"
        )
    if report.simulated:
        print(
            "SIMULATED: the left column shows what was put into simulated debaters; it cannot be compared with the paper's."
        )
    else:
        print(
            "The paper's models, prompts, pairings and motions were others: see the head of this file."
        )
    return 1 if summary.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ArenaError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
