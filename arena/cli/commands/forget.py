"""Add `arena forget`, which removes episodes from a store."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from arena.cli.commands import Command, add_flag
from arena.cli.terminal import print_table
from arena.errors import StudyError
from arena.text import describe_cost

if TYPE_CHECKING:
    from arena.store.forgetting import Selected


def add(command: Command) -> None:
    """Add the command to the parser."""
    forget = command(
        "forget",
        forget_episodes,
        "remove episodes of a study with all their rows, verdicts on them included; a run of the"
        " study plays them anew",
    )
    forget.add_argument("--study", required=True, help="the study that they belong to")
    forget.add_argument(
        "episodes", nargs="*", metavar="EPISODE", help="ids of episodes, or beginnings of them"
    )
    which = forget.add_mutually_exclusive_group()
    add_flag(which, "--leftovers", "those that the last plan of the study does not hold")
    which.add_argument("--arm", help="those of an arm")
    where = "those that meet a condition on all_episodes, such as \"error_kind = 'Refused'\""
    which.add_argument("--where", metavar="SQL", help=where)
    add_flag(which, "--all", "all episodes of the study")
    add_flag(forget, "--yes", "remove them; without it they are only counted")


def forget_episodes(options: argparse.Namespace) -> int:
    """Run `arena forget`: print what would be removed, or remove it."""
    from arena.store.forgetting import forget

    selected = select_episodes(options)
    print_table(selected.counts)
    if not options.yes:
        print(f"nothing is removed yet; to remove {describe(selected)}, add --yes")
        return 0
    kept = forget(options.db, selected)
    db = shlex.quote(str(options.db))
    print(
        f"removed {describe(selected)}; budgets go on counting what they cost.  Their words may"
        f" still lie in unused parts of the file (arena tidy --rewrite {db}) and in backups of it"
    )
    for removal in kept:
        print(f"kept {removal.journal}, which may hold words of them: {removal.kept}")
    return 0


def select_episodes(options: argparse.Namespace) -> Selected:
    """Return the episodes that the options name.  Raises StudyError unless one option does."""
    from arena.store.forgetting import select

    chosen = {
        "leftovers": (options.leftovers, "leftover", {}),
        f"arm {options.arm}": (options.arm is not None, "arm = $arm", {"arm": options.arm}),
        f"where {options.where}": (options.where is not None, options.where, {}),
        "all": (options.all, "true", {}),
        " ".join(options.episodes): (
            bool(options.episodes),
            "len(list_filter($ids, lambda id: starts_with(episode, id))) > 0",
            {"ids": options.episodes},
        ),
    }
    wanted = [(what, *rest) for what, (is_wanted, *rest) in chosen.items() if is_wanted]
    if len(wanted) != 1:
        raise StudyError(
            "say which episodes, in one way: --leftovers, --arm, --where, --all, or their ids"
        )
    what, condition, parameters = wanted[0]
    selected = select(options.db, options.study, what, condition, parameters)
    check_ids(options.episodes, selected)
    return selected


def check_ids(beginnings: list[str], selected: Selected) -> None:
    """Raise StudyError for the beginning of an id that is not that of one episode."""
    for beginning in beginnings:
        count = sum(episode.startswith(beginning) for episode in selected.episodes)
        if count != 1:
            found = f"{count} episodes begin" if count else "no episode begins"
            raise StudyError(f"{found} with {beginning!r} in study {selected.study!r}")


def describe(selected: Selected) -> str:
    """Say how many episodes are meant, how many judgings of them, and what they have cost."""
    rows = selected.counts.dicts()
    episodes = len(selected.episodes)
    text = f"{episodes:,} episode{'s' * (episodes != 1)} of study {selected.study!r}"
    if selected.judgings:
        text += f" and {len(selected.judgings):,} judgings of them"
    known = [row["cost_usd"] for row in rows if row["cost_usd"] is not None]
    unknown = sum(row["calls_of_unknown_cost"] for row in rows)
    calls = sum(row["calls"] for row in rows)
    cost = describe_cost(sum(known) if known else None, unknown) if calls else "without calls"
    return f"{text} ({calls:,} calls, {cost})" if calls else f"{text} ({cost})"
