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
    from arena.episode import Episode
    from arena.errors import ArenaError
    from arena.estimate import Estimate
    from arena.limits import Limit
    from arena.prices import Price
    from arena.prompt import own, rated
    from arena.retry import Retry
    from arena.run import Arena, Which
    from arena.stages import Stage, run_stages
    from arena.study import Arm, Lineup, Study
    from arena.subjects import MOTIONS, motions
    from arena.summary import Summary
    from arena.tournament import against_itself, given_pairs, round_robin, swiss, swiss_round
    from arena.types import Agent, Answer, Sampling, Seat, Subject, Turn, Verdict

_HOME = {
    "Arena": "arena.run",
    "Summary": "arena.summary",
    "Which": "arena.run",
    "Arm": "arena.study",
    "Study": "arena.study",
    "Lineup": "arena.study",
    "Retry": "arena.retry",
    "Episode": "arena.episode",
    "Estimate": "arena.estimate",
    "Limit": "arena.limits",
    "Price": "arena.prices",
    "own": "arena.prompt",
    "rated": "arena.prompt",
    "motions": "arena.subjects",
    "MOTIONS": "arena.subjects",
    "Stage": "arena.stages",
    "run_stages": "arena.stages",
    "given_pairs": "arena.tournament",
    "round_robin": "arena.tournament",
    "swiss": "arena.tournament",
    "swiss_round": "arena.tournament",
    "against_itself": "arena.tournament",
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
    "Estimate",
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
    "Which",
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
