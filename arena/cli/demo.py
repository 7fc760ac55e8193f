"""Define the study of `arena demo`: six simulated debaters, each pair in both seats, six motions.

No word in it comes from a language model.
"""

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
QUERY = (
    "select phase, n, round(100 * mean, 1) as mean_percent, missing from confidence_by_round"
    " order by round"
)
# The debate to read first: the one whose less confident side was the most confident.
MOST_CONFIDENT = """
    select episode from turns where phase = 'closing'
    group by episode having count(confidence) = 2
    order by min(confidence) desc, episode limit 1"""


def study() -> Study:
    """Return the study of the demonstration: 30 lineups x 6 motions = 180 debates."""
    lineups = round_robin([agent(reference) for reference in DEBATERS])
    return Study("demo", [Arm("cross_model", debate, lineups, PRESETS["cross_model"])], MOTIONS)
