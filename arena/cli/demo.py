"""A study for a first look: six simulated debaters, each pair in both seats, on six motions.  Nothing here was said by a language model."""

from __future__ import annotations

from agents import agent
from arena.studies.motions import MOTIONS
from arena.studies.study import Arm, Study
from arena.tournaments.pairings import round_robin
from protocols.debate import PRESETS, debate

DEBATERS = (
    "sim/even",
    "sim/modest",
    "sim/confident",
    "sim/overconfident",
    "sim/erratic",
    "sim/overconfident:unreadable=0.3",
)
QUERY = "select phase, n, round(100 * mean, 1) as mean_percent, missing from confidence_by_round order by round"


def study() -> Study:
    """The demonstration: 30 lineups x 6 motions = 180 debates."""
    lineups = round_robin([agent(reference) for reference in DEBATERS])
    return Study("demo", [Arm("cross_model", debate, lineups, PRESETS["cross_model"])], MOTIONS)
