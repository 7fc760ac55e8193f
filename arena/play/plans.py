"""Record which stored episodes of a study its plan holds no longer, and which it holds again.

Those that the last plan does not hold are leftovers: other models, motions, options or repeats that
an earlier run of the study played.  They stay in the store, and views and reports leave them out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from arena.store.journal import line
from arena.store.replay import StudyState
from arena.studies.study import Play
from arena.text import utc_now


def plan_change_lines(run_id: str, all_plays: Sequence[Play], state: StudyState) -> Iterator[bytes]:
    """Return the rows of stored episodes that are leftovers from now on, or are none any more.

    `all_plays` is the whole plan, of which a run may play a share.
    """
    planned = {play.episode for play in all_plays}
    no_longer = state.status.keys() - planned - state.leftovers
    again = state.leftovers & planned
    changed_at = utc_now()
    # The latest row counts, even if the clock went back.
    if state.plan_changed_at is not None:
        changed_at = max(changed_at, state.plan_changed_at + timedelta(microseconds=1))
    for episodes, is_planned in ((no_longer, False), (again, True)):
        for episode in sorted(episodes):
            row = {"episode": episode, "run": run_id, "planned": is_planned}
            yield line("plan_changes", {**row, "changed_at": changed_at})


def is_other_plan(all_plays: Sequence[Play], state: StudyState) -> bool:
    """Tell whether a plan is another than the last one of the study, as far as the store shows."""
    planned = {play.episode for play in all_plays}
    return state.planned != len(all_plays) or state.leftovers != state.status.keys() - planned
