"""`arena status` and `arena show`: reading the record."""

from __future__ import annotations

import argparse
import sys

from arena.cli.commands import Command
from arena.cli.terminal import print_table
from arena.errors import StudyError
from arena.text import printable


def add(command: Command) -> None:
    """The commands that read."""
    command("status", show_status, "what has been played, what is open, what is missing")

    show = command("show", show_episode, "read one episode")
    show.add_argument("episode", help="its id, or the beginning of it")
    show.add_argument(
        "--public", action="store_true", help="leave private thoughts and ratings out"
    )


def show_status(words: argparse.Namespace) -> int:
    """arena status"""
    from arena.store.database import fold, query

    folding = fold(words.db, wait_s=0.5) if words.db.exists() else None
    counts = """
        with played as (
            select study, count(*) as n, count(*) filter (status = 'done') as done, count(*) filter (status = 'failed') as failed
            from episodes group by study),
        said as (select study, count(*) as turns from turns join episodes using (episode) group by study),
        started as (select study, arg_max(planned, started_at) as planned, max(started_at) as last_run from runs group by study)
        select study, simulated, origin, s.planned, coalesce(done, 0) as done, coalesce(failed, 0) as failed,
               greatest(coalesce(s.planned, n), n) - coalesce(done, 0) - coalesce(failed, 0) as open, turns, last_run
        from studies left join played using (study) left join said using (study) left join started s using (study) order by study"""
    print_table(query(words.db, counts))
    missing = query(words.db, "from missing")
    if len(missing):
        print("\nmissing")
        print_table(missing)
    if folding and folding.put_off:
        print(f"not folded yet: {folding.put_off}", file=sys.stderr)
    if folding and folding.skipped:
        print(f"{folding.skipped} torn journal lines were dropped", file=sys.stderr)
    return 0


def show_episode(words: argparse.Namespace) -> int:
    """arena show"""
    from arena.store.database import query

    found = query(
        words.db,
        "select e.*, s.text as motion from episodes e left join subjects s using (subject) where starts_with(e.episode, ?) limit 2",
        [words.episode],
    ).dicts()
    if len(found) != 1:
        how_many = "several episodes begin" if found else "no episode begins"
        raise StudyError(
            f"{how_many} with {words.episode!r}; list them with: arena sql 'select episode, study, subject from episodes'"
        )
    episode = found[0]
    print(
        f"{episode['episode']}  {episode['study']} / {episode['arm']}  {episode['protocol']}  {episode['status']}"
    )
    if episode["error"]:
        print(printable(f"{episode['error_kind']}: {episode['error']}"))
    print(printable(episode["motion"] or ""))
    turns = query(
        words.db,
        "select t.*, s.agent, s.model from turns t left join seats s using (episode, seat) where episode = ?"
        " order by round, started_at, seat desc",
        [episode["episode"]],
    )
    for turn in turns.dicts():
        print(f"\n=== {turn['seat']} ({printable(turn['model'] or '')}), {turn['phase']}")
        print(printable(turn["public"] if turn["public"] is not None else "[no readable speech]"))
        if not words.public:
            rating = (
                f"missing ({turn['confidence_status']})"
                if turn["confidence"] is None
                else f"{100 * turn['confidence']:g}%"
            )
            print(
                f"--- private: rating {rating}"
                + (f"; thoughts: {printable(turn['thoughts'])}" if turn["thoughts"] else "")
            )
        if turn["flags"]:
            print(f"--- doubts: {', '.join(turn['flags'])}")
    for verdict in query(
        words.db,
        "from verdicts where debate = ? order by judge, repeat, seat_order",
        [episode["episode"]],
    ).dicts():
        sure = "" if verdict["confidence"] is None else f" ({100 * verdict['confidence']:g}%)"
        order = f", sides {verdict['seat_order']}" if verdict["seat_order"] != "as played" else ""
        print(
            f"\n=== judge {printable(verdict['judge'])}{order}: {printable(verdict['winner'] or verdict['status'])}{sure}"
        )
    return 0
