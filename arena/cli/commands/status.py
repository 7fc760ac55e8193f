"""Add `arena status` and `arena show`, which print studies and episodes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from arena.cli.commands import Command, add_flag
from arena.cli.terminal import print_table
from arena.errors import StudyError
from arena.text import printable

if TYPE_CHECKING:
    from arena.calls.earlier_versions import EarlierVersion
    from arena.store.result import QueryResult

# An imported study has episodes but no plan, a planned one may have no episode yet.
COUNTS = """
    with played as (
        select study, count(*) filter (not leftover) as n,
            count(*) filter (status = 'done' and not leftover) as done,
            count(*) filter (status = 'failed' and not leftover) as failed,
            count(*) filter (status = 'open' and not leftover) as open,
            count(*) filter (leftover) as leftovers
        from all_episodes group by study),
    spoken as (
        select study, count(*) as turns from turns join episodes using (episode) group by study),
    started as (
        select study, arg_max(planned, started_at) as planned,
            date_trunc('second', max(started_at)) as last_run
        from runs group by study)
    select study, simulated, origin, s.planned, coalesce(done, 0) as done,
        coalesce(failed, 0) as failed, coalesce(open, 0) as open,
        greatest(s.planned - coalesce(n, 0), 0) as not_started,
        coalesce(leftovers, 0) as leftovers, turns, last_run
    from studies left join played using (study) left join spoken using (study)
        left join started s using (study)
    order by study"""
LEFTOVERS = """
    with seated as (
        select episode, string_agg(distinct model, ', ' order by model) as models
        from seats group by episode)
    select study, arm, models, count(*) as episodes
    from leftovers left join seated using (episode) group by all order by all"""
HEADINGS = {
    "missing": "missing",
    "leftovers": "leftovers of earlier plans, which reports leave out (arena forget removes them)",
    "forgotten": "forgotten: removed on request",
    "registrations": "registrations (arena register --check STUDY names what departs from them)",
}
REGISTRATIONS = ("study", "hash", "registered_at", "counts", "deviations", "fault")
PROTOCOLS = "select distinct protocol from all_episodes where not leftover"
FORGOTTEN = "select * from forgotten order by study, forgotten_at"
# Two rows suffice to see that the beginning of an id is ambiguous.
EPISODE = """
    select e.*, s.text as motion, s.images, s.passage, s.choices
    from all_episodes e left join subjects s using (subject)
    where starts_with(e.episode, ?) limit 2"""
IMAGES = "select image, media_type from images where image in (select unnest($1::varchar[]))"
TURNS = """
    select t.*, s.agent, s.model from latest_turns t left join seats s using (episode, seat)
    where episode = ? order by started_at, round, seat desc"""
READERS = "select distinct seat from saw where episode = $1 and face = 'passage' order by 1"
VERDICTS = "from verdicts where debate = ? order by judge, repeat, seat_order"


def add(command: Command) -> None:
    """Add the commands to the parser."""
    status = command(
        "status", show_status, "list studies: what their plans hold, and what the store holds of it"
    )
    add_flag(status, "--json", "print it as JSON")

    show = command("show", show_episode, "print one episode")
    show.add_argument("episode", help="the episode's id, or the beginning of it")
    faces = show.add_mutually_exclusive_group()
    add_flag(faces, "--public", "leave out private thoughts, ratings, doubts and error messages")
    add_flag(faces, "--raw", "print the replies as they came, private words included")


def show_status(options: argparse.Namespace) -> int:
    """Run `arena status`: compare plan and store of each study, and list the missing parts."""
    from arena.calls.earlier_versions import ways_on
    from arena.cli.output import plain_rows, write_json
    from arena.store.database import fold, select_rows

    # A store that a run is writing to stays as it is: queries read its journals too.
    folding = fold(options.db, wait_s=0.5) if options.db.exists() else None
    tables = {
        "studies": select_rows(options.db, COUNTS),
        "missing": select_rows(options.db, "from missing"),
        "leftovers": select_rows(options.db, LEFTOVERS),
        "forgotten": select_rows(options.db, FORGOTTEN),
        "registrations": list_registrations(options.db),
    }
    earlier = find_earlier(options.db)
    if options.json:
        rows = {name: plain_rows(table) for name, table in tables.items()}
        write_json({**rows, "earlier_versions": [asdict(one) for one in earlier]})
    else:
        print_table(tables.pop("studies"))
        for name, table in tables.items():
            if len(table):
                print(f"\n{HEADINGS[name]}")
                print_table(table)
        for one in earlier:
            print(
                printable(
                    f"\n{one}; arena run stops before it asks in the new version (--dry-run says"
                    f" what that would cost): {ways_on([one])}"
                )
            )
    if folding and folding.put_off:
        print(f"not folded yet: {folding.put_off}", file=sys.stderr)
    if folding and folding.skipped:
        print(f"{folding.skipped} torn journal lines were dropped", file=sys.stderr)
    return 0


def list_registrations(path: Path) -> QueryResult:
    """Return the registrations, whether each is the one that counts, and how much departs."""
    from arena.store.result import QueryResult
    from arena.studies.registered import load_registrations, standing

    found = load_registrations(path)
    stands = {
        study: standing(path, [each for each in found if each.study == study], study)
        for study in dict.fromkeys(each.study for each in found)
    }
    rows = []
    for each in found:
        one = stands[each.study]
        counts = one is not None and one.registration.hash == each.hash
        departs = None
        if one is not None and counts:
            departs = sum(not deviation.is_to_come for deviation in one.deviations)
        when = each.registered_at.replace(microsecond=0)
        rows.append((each.study, each.hash[:12], when, counts, departs, each.fault or None))
    return QueryResult(REGISTRATIONS, tuple(rows))


def find_earlier(path: Path) -> tuple[EarlierVersion, ...]:
    """Return what earlier versions of protocols have played, of the protocols that are found."""
    from arena.calls.earlier_versions import load_earlier_versions
    from arena.store.database import select_rows
    from arena.studies.study import protocol_version
    from arena.studies.versions import versions_of
    from protocols import named

    found = {}
    for (name,) in select_rows(path, PROTOCOLS).rows:
        # One that stands in a study's file has the version that the file says.
        with suppress(StudyError):
            found[name] = named(name)
    today = {("", name): protocol_version(protocol) for name, protocol in found.items()}
    return tuple(
        replace(one, kept=one.version in versions_of(found[one.protocol]))
        for one in load_earlier_versions(path, None, today)
    )


def show_episode(options: argparse.Namespace) -> int:
    """Run `arena show`: print an episode's subject, turns and verdicts."""
    from arena.store.connection import show_leftovers
    from arena.store.database import select_rows

    episode = find_episode(options.db, options.episode)
    print(
        f"{episode['episode']}  {episode['study']} / {episode['arm']}  {episode['protocol']}"
        f"  {episode['status']}{', of an earlier plan' if episode['leftover'] else ''}"
    )
    if episode["error"]:
        # The words of an error may quote a reply.
        words = "" if options.public else f": {episode['error']}"
        print(printable(f"{episode['error_kind']}{words}"))
    print(printable(episode["motion"] or ""))
    for letter, choice in zip(ascii_uppercase, episode["choices"] or (), strict=False):
        print(printable(f"{letter}) {choice}"))
    if episode["options"] not in (None, "{}"):
        print(printable(f"options: {episode['options']}"))
    if episode["passage"]:
        readers = [seat for (seat,) in select_rows(options.db, READERS, [episode["episode"]]).rows]
        who = ", ".join(readers) or "nobody"
        print(printable(f"passage of {len(episode['passage']):,} characters, shown to {who}"))
    print_images(options.db, episode["images"] or ())
    turns = select_rows(options.db, TURNS, [episode["episode"]]).dicts()
    versions = sorted({turn["reader_version"] for turn in turns} - {None})
    if versions and not options.raw:
        print(f"as `arena reread` has read it, by the code {', '.join(versions)}")
    for turn in in_order(turns):
        if options.raw:
            print_raw(turn)
        else:
            print_turn(turn, episode["passage"], with_private=not options.public)
    with show_leftovers():
        verdicts = select_rows(options.db, VERDICTS, [episode["episode"]]).dicts()
    for verdict in verdicts:
        print_verdict(verdict)
    return 0


def find_episode(path: Path, beginning: str) -> dict[str, Any]:
    """Return the row of the episode whose id begins so.

    Raises StudyError if there is no such episode, or several.
    """
    from arena.store.database import select_rows

    matches = select_rows(path, EPISODE, [beginning]).dicts()
    if len(matches) != 1:
        count = "several episodes begin" if matches else "no episode begins"
        raise StudyError(
            f"{count} with {beginning!r}; list them with: arena sql"
            " 'select episode, study, subject from episodes'"
        )
    return matches[0]


def print_images(path: Path, hashes: Sequence[str]) -> None:
    """Print a line for each image of a subject: its place, media type and hash."""
    from arena.store.database import select_rows

    kinds = dict(select_rows(path, IMAGES, [list(hashes)]).rows) if hashes else {}
    for place, each in enumerate(hashes, start=1):
        kind = kinds.get(each, "not in the store")
        print(printable(f"image {place} of {len(hashes)}: {kind}, sha256 {each}"))


def in_order(turns: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return turns, given by when they began, as they were played.

    Turns of seats that speak side by side overlap in time, and stand by round and seat; whatever
    begins after all of them have ended comes later, of whichever round it is.
    """
    groups: list[list[dict[str, Any]]] = []
    last_end = None
    for turn in turns:
        begins, ends = turn["started_at"], turn["ended_at"]
        apart = None not in (begins, last_end) and begins >= last_end
        if not groups or apart:
            groups.append([])
        groups[-1].append(turn)
        known = [each for each in (last_end, ends) if each is not None]
        last_end = max(known, default=None)
    # Sorting is stable: the later name comes first, as the proposition before the opposition.
    return [
        turn
        for group in groups
        for turn in sorted(
            sorted(group, key=lambda each: str(each["seat"]), reverse=True),
            key=lambda each: (each["round"] or 0, each["step"] or 0),
        )
    ]


def print_turn(turn: dict[str, Any], passage: str | None, *, with_private: bool) -> None:
    """Print a turn: its speech, and if wanted its private answer, rating, thoughts and flags."""
    from arena.quotes import quotes_in

    print_heading(turn)
    unreadable = "[no readable speech; --raw prints the reply]"
    print(printable(turn["public"] if turn["public"] is not None else unreadable))
    for quote in quotes_in(turn["public"] or "", passage) if passage else ():
        mark = "verified" if quote.verified else "unverified"
        print(printable(f"--- quote, {mark}: {quote.words}"))
    if with_private:
        if turn["answer"] is not None:
            print(printable(f"--- answer: {turn['answer']}"))
        missing = turn["confidence"] is None
        reason = f"missing ({turn['confidence_status']})"
        rating = reason if missing else f"{100 * turn['confidence']:g}%"
        thoughts = f"; thoughts: {printable(turn['thoughts'])}" if turn["thoughts"] else ""
        print(f"--- private: rating {rating}{thoughts}")
        # A flag may tell of private words, such as a rating of zero.
        if turn["flags"]:
            print(printable(f"--- doubts: {', '.join(turn['flags'])}"))


def print_raw(turn: dict[str, Any]) -> None:
    """Print the replies of a turn as they came, with how the first one ended."""
    print_heading(turn)
    parts = {
        "reasoning": turn["reasoning"],
        "reply": turn["text"],
        "asked again": turn["reask_prompt"],
        "second reply": turn["reask_text"],
    }
    for name, text in parts.items():
        if text is not None:
            print(f"--- {name}\n{printable(text)}")
    if turn["finish_reason"] is not None:
        print(printable(f"--- it ended with: {turn['finish_reason']}"))


def print_heading(turn: dict[str, Any]) -> None:
    """Print who speaks in which phase."""
    place = f", round {turn['round']}" if turn["round"] else ""
    print(f"\n=== {turn['seat']} ({printable(turn['model'] or '')}), {turn['phase']}{place}")


def print_verdict(verdict: dict[str, Any]) -> None:
    """Print a verdict in one line: judge, order of the sides, winner or status, confidence."""
    confidence = verdict["confidence"]
    percent = "" if confidence is None else f" ({100 * confidence:g}%)"
    order = f", sides {verdict['seat_order']}" if verdict["seat_order"] != "as played" else ""
    winner = printable(verdict["winner"] or verdict["status"])
    print(f"\n=== judge {printable(verdict['judge'])}{order}: {winner}{percent}")
