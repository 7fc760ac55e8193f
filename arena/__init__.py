"""The arena: plays protocols between agents, and keeps every word.

    from arena import Arena, Arm, Study, motions, round_robin, own, rated

Everything is loaded when it is first used.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arena.calls.estimate import CostEstimate
    from arena.calls.rate_limits import Limit
    from arena.calls.retry import Retry
    from arena.errors import ArenaError
    from arena.play.episode import Episode
    from arena.play.prompt import own, rated
    from arena.play.run import Arena, RunSelection
    from arena.play.summary import Summary
    from arena.studies.motions import MOTIONS, motions
    from arena.studies.study import Arm, Lineup, Study
    from arena.tournaments.pairings import (
        against_itself,
        given_pairs,
        round_robin,
        swiss,
        swiss_round,
    )
    from arena.tournaments.stages import Stage, run_stages
    from arena.types import Agent, Answer, Price, Sampling, Seat, Subject, Turn, Verdict

_HOME = {
    "Arena": "arena.play.run",
    "Summary": "arena.play.summary",
    "Which": "arena.play.run",
    "Arm": "arena.studies.study",
    "Study": "arena.studies.study",
    "Lineup": "arena.studies.study",
    "Retry": "arena.calls.retry",
    "Episode": "arena.play.episode",
    "Estimate": "arena.calls.estimate",
    "Limit": "arena.calls.rate_limits",
    "Price": "arena.types",
    "own": "arena.play.prompt",
    "rated": "arena.play.prompt",
    "motions": "arena.studies.motions",
    "MOTIONS": "arena.studies.motions",
    "Stage": "arena.tournaments.stages",
    "run_stages": "arena.tournaments.stages",
    "given_pairs": "arena.tournaments.pairings",
    "round_robin": "arena.tournaments.pairings",
    "swiss": "arena.tournaments.pairings",
    "swiss_round": "arena.tournaments.pairings",
    "against_itself": "arena.tournaments.pairings",
    "Agent": "arena.types",
    "Sampling": "arena.types",
    "Seat": "arena.types",
    "Subject": "arena.types",
    "Turn": "arena.types",
    "Verdict": "arena.types",
    "Answer": "arena.types",
    "ArenaError": "arena.errors",
}
__all__ = [
    "MOTIONS",
    "Agent",
    "Answer",
    "Arena",
    "ArenaError",
    "Arm",
    "Episode",
    "CostEstimate",
    "Limit",
    "Lineup",
    "Price",
    "Retry",
    "Sampling",
    "Seat",
    "Stage",
    "Study",
    "Subject",
    "Summary",
    "Turn",
    "Verdict",
    "RunSelection",
    "against_itself",
    "given_pairs",
    "motions",
    "own",
    "rated",
    "round_robin",
    "run_stages",
    "swiss",
    "swiss_round",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'arena' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__


def _check_neighbours() -> None:
    """Another distribution, openai-agents, installs a package called `agents` too: say so instead of failing somewhere inside it."""
    found = importlib.util.find_spec("agents")
    ours = Path(__file__).resolve().parent.parent / "agents" / "__init__.py"
    if found is None or found.origin is None or Path(found.origin).resolve() != ours:
        where = "nowhere" if found is None else found.origin
        raise ImportError(
            f"the package `agents` of peer-arena was expected at {ours}, found {where}; another distribution (openai-agents?) installs"
            " a package of that name: use an environment without it"
        )


_check_neighbours()
