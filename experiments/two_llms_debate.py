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
from arena import MOTIONS, Arena, Arm, Study, against_itself, round_robin
from arena import motions as read_motions
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
) -> Study:
    """One configuration of the paper, with these models, on these motions."""
    agents = [agent(reference) for reference in models]
    lineups = round_robin(agents) if preset == "cross_model" else against_itself(agents)
    subjects = read_motions(motions) if motions else MOTIONS
    return Study(f"two_llms_debate_{preset}", [Arm(preset, debate, lineups, PRESETS[preset])], subjects, repeats)


if __name__ == "__main__":
    from arena.studyfile import load_study

    made = load_study(__file__, sys.argv[1:])
    arena = Arena()
    print(arena.run(made))
    preset = made.arms[0].label
    print("\nmean confidence in percent  here   paper")
    query = f"select phase, 100 * mean, n from confidence_by_round where study = '{made.name}' order by round"
    for phase, mean, n in arena.sql(query):
        paper = PAPER.get(preset, {}).get(phase)
        print(f"  {phase:12} (n = {n:4})     {mean:6.2f}  {paper if paper is not None else '-':>6}")
    if arena.sql(f"select simulated from studies where study = '{made.name}'").rows[0][0]:
        print("SIMULATED: the left column shows what was put into simulated debaters.")
