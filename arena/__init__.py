"""Peer Arena: play protocols between agents, and keep every word.

    from arena import Arena, Arm, Study, motions, round_robin, own, rated

Everything is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from arena import former_names  # noqa: F401 - finds modules of version 0.1.0 that have moved
from arena.former_names import warn_of_former_name
from arena.packages import check_packages

if TYPE_CHECKING:
    from arena.arena import Arena
    from arena.calls.estimate import CostEstimate
    from arena.calls.rate_limits import Limit
    from arena.calls.retry import Retry
    from arena.errors import ArenaError
    from arena.events import Hook
    from arena.images import Image, read_image
    from arena.play.episode import Episode
    from arena.play.prompt import (
        chat,
        checked,
        notes,
        own,
        passage,
        rated,
        spoken,
        verbatim,
    )
    from arena.play.reading import text_only
    from arena.play.run import RunSelection
    from arena.play.summary import Summary
    from arena.private import reveal
    from arena.score import Score
    from arena.studies.lineups import Lineup
    from arena.studies.motions import MOTIONS, motions
    from arena.studies.study import Arm, Study
    from arena.tournaments.pairings import (
        against_itself,
        given_pairs,
        round_robin,
        swiss,
        swiss_round,
    )
    from arena.tournaments.stages import Stage, run_stages
    from arena.types import (
        Agent,
        Answer,
        Price,
        Reading,
        Reply,
        Sampling,
        Seat,
        Subject,
        Turn,
        Verdict,
    )

_HOME = {
    "Arena": "arena.arena",
    "Summary": "arena.play.summary",
    "RunSelection": "arena.play.run",
    "Arm": "arena.studies.study",
    "Study": "arena.studies.study",
    "Lineup": "arena.studies.lineups",
    "Retry": "arena.calls.retry",
    "Episode": "arena.play.episode",
    "CostEstimate": "arena.calls.estimate",
    "Hook": "arena.events",
    "Limit": "arena.calls.rate_limits",
    "Price": "arena.types",
    "notes": "arena.play.prompt",
    "own": "arena.play.prompt",
    "spoken": "arena.play.prompt",
    "chat": "arena.play.prompt",
    "checked": "arena.play.prompt",
    "passage": "arena.play.prompt",
    "Image": "arena.images",
    "read_image": "arena.images",
    "rated": "arena.play.prompt",
    "reveal": "arena.private",
    "verbatim": "arena.play.prompt",
    "text_only": "arena.play.reading",
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
    "Reading": "arena.types",
    "Reply": "arena.types",
    "Seat": "arena.types",
    "Score": "arena.score",
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
    "CostEstimate",
    "Episode",
    "Hook",
    "Image",
    "Limit",
    "Lineup",
    "Price",
    "Reading",
    "Reply",
    "Retry",
    "RunSelection",
    "Sampling",
    "Score",
    "Seat",
    "Stage",
    "Study",
    "Subject",
    "Summary",
    "Turn",
    "Verdict",
    "against_itself",
    "chat",
    "checked",
    "given_pairs",
    "motions",
    "notes",
    "own",
    "passage",
    "rated",
    "read_image",
    "reveal",
    "round_robin",
    "run_stages",
    "spoken",
    "swiss",
    "swiss_round",
    "text_only",
    "verbatim",
]


# Names of version 0.1.0, for one release.
_FORMER = {"Which": "RunSelection", "Estimate": "CostEstimate"}


if not TYPE_CHECKING:
    # Hidden from type checkers, which would take every misspelt name for a name of this package.
    def __getattr__(name: str) -> object:
        """Import a public name when it is first asked for (PEP 562)."""
        if name in _FORMER:
            new = _FORMER[name]
            warn_of_former_name(f"arena.{name}", f"arena.{new}")
            name = new
        if name not in _HOME:
            raise AttributeError(f"module 'arena' has no attribute {name!r}")
        # Here, and not when this module is imported: `arena doctor` runs in spite of it.
        check_packages()
        return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return __all__
