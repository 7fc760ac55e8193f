"""Read the registrations of a study from its store, and how what was played departs from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from duckdb import DuckDBPyConnection as Connection

from arena.calls.spending import load_spending
from arena.store.database import open_live, select_rows
from arena.studies.registration import (
    IMAGES,
    SEATED,
    DesignDraft,
    Deviation,
    Plan,
    Registration,
    compare,
    compare_stopping,
    counting,
    is_late,
    read_registration,
    seated_words,
    shareable,
)
from arena.text import pluralize

REGISTRATIONS = """
    select hash, study, registered_at, played_before, content
    from registrations where $study is null or study = $study
    order by study, registered_at, hash"""
# Runs stay when their episodes are forgotten, or stand under the same id in a merged store.
BEGAN = """
    select min(started_at) from (
        select started_at from plays where study = $study
        union all select started_at from runs where study = $study)"""
# Each combination of values once: a design has few of them.
PLAYED = """
    select distinct p.arm, p.protocol, p.version, p.code_hash, p.options::varchar as options,
           p.grader
    from episodes e join plays p using (episode) where e.study = ?"""
LINEUPS = """
    select distinct arm, seats from episodes join (
        select episode, list([seat, agent] order by seat) as seats from seats group by episode
    ) using (episode)
    where study = ? order by all"""
AGENTS = """
    select distinct arm, seat, agent, model, system, sampling::varchar as sampling, digest,
           s.code_hash
    from episodes join seats s using (episode) where study = ? order by all"""
SUBJECTS = """
    select subject, any_value(text), any_value(images)
    from episodes left join subjects using (subject)
    where study = ? group by subject"""
SERVED = """
    select agent, model_served, sum(turns)::bigint as turns from served_models
    where study = ? and model_served is not null group by all order by all"""
NOTED = """
    select registration, part, what, count(*) as runs, min(noted_at) as first
    from deviations where list_contains(?, registration)
    group by registration, part, what order by first, part, what"""
COUNTS = """
    select count(*) filter (status <> 'open') as ended,
           count(*) filter (leftover) as leftovers,
           count(*) filter (started_at <= $at) as before
    from all_episodes where study = $study"""
RUNS = "select run, started_at from runs where study = ? and started_at <= ? order by started_at"
LEFT_OUT = "select forgotten_at, episodes, what from forgotten where study = ? order by 1"
OTHERS = "select study from studies where study <> ? order by created_at, study"
VIEWS = ("all_episodes", "episodes", "studies", "served_models")
MOST_NAMES = 8


@dataclass(frozen=True, slots=True)
class Standing:
    """How a study stands to the registration that counts.

    `late` says whether episodes had begun when it was registered; `others` are the study's other
    registrations.  `arms` are the registered ones that were played, `added` the arms, subjects and
    repeats that were played beside; `earlier` says in words what was there before it.
    """

    registration: Registration
    plan: Plan
    late: bool
    others: tuple[Registration, ...]
    deviations: tuple[Deviation, ...]
    arms: tuple[str, ...]
    added: Mapping[str, tuple[str, ...]]
    earlier: tuple[str, ...]


def load_registrations(path: Path, study: str | None = None) -> list[Registration]:
    """Return the registrations of a study, or of all, oldest first."""
    with open_live(path, ()) as con:
        rows = con.execute(REGISTRATIONS, {"study": study}).fetchall()
    return [read_registration(*row) for row in rows]


def load_counting(path: Path, study: str) -> Registration | None:
    """Return the registration of a study that counts, None without one."""
    found = load_registrations(path, study)
    if not found:
        return None
    with open_live(path, ()) as con:
        return counting(found, con.execute(BEGAN, {"study": study}).fetchall()[0][0])


def count_begun(path: Path, study: str) -> int:
    """Return how many episodes of a study have begun in a store, forgotten ones included."""
    begun, forgotten = select_rows(
        path,
        "select (select count(*) from all_episodes where study = ?),"
        " (select coalesce(sum(episodes), 0)::bigint from forgotten where study = ?)",
        [study, study],
    ).rows[0]
    return int(begun) + int(forgotten)


def standing(path: Path, found: Sequence[Registration], study: str) -> Standing | None:
    """Return how a study stands to its registration, None if there is none that counts.

    `found` are its registrations.
    """
    if not found:
        return None
    usd = load_spending(path, study, {}).usd
    with open_live(path, VIEWS) as con:
        began = con.execute(BEGAN, {"study": study}).fetchall()[0][0]
        registration = counting(found, began)
        if registration is None or registration.plan is None:
            return None
        plan = registration.plan
        counts = read_dicts(con, COUNTS, {"study": study, "at": registration.registered_at})[0]
        noted = read_dicts(con, NOTED, [[each.hash for each in found]])
        said = {row["what"] for row in noted if row["registration"] == registration.hash}
        design = stored_design(con, study, plan)
        played = compare(plan.design, design, whole=False)
        deviations = [
            *(noted_deviation(row, registration.hash) for row in noted),
            *(each for each in played if each.what not in said),
            *served_otherwise(con, study),
            *compare_stopping(plan, counts["ended"], usd),
            *removed(con, study, registration.registered_at, counts["leftovers"]),
        ]
        others = tuple(each for each in found if each.hash != registration.hash)
        return Standing(
            registration,
            plan,
            is_late(registration, began),
            others,
            tuple(deviations),
            tuple(arm for arm in plan.design["arms"] if arm in design.get("arms", {})),
            {
                part: tuple(item for item in design.get(part, ()) if item not in plan.design[part])
                for part in ("arms", "subjects", "repeats")
            },
            tuple(describe_earlier(con, study, registration, others, counts["before"])),
        )


def read_dicts(con: Connection, sql: str, parameters: Any) -> list[dict[str, Any]]:
    """Return the rows of a query as dictionaries."""
    result = con.execute(sql, parameters)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def noted_deviation(row: Mapping[str, Any], registration: str) -> Deviation:
    """Return what runs have noted, with when, and against which registration if it is another."""
    day = f"{row['first']:%Y-%m-%d %H:%M} UTC"
    when = f"run of {day}" if row["runs"] == 1 else f"{row['runs']} runs, the first of {day}"
    other = row["registration"][:12] if row["registration"] != registration else ""
    return Deviation(
        row["part"], f"{row['what']} ({when}{f', against registration {other}' if other else ''})"
    )


def stored_design(con: Connection, study: str, plan: Plan) -> dict[str, Any]:
    """Return what was played of a study, without leftovers, in the form of a design."""
    draft = DesignDraft()
    planned = seats_by_arm(plan)
    for row in read_dicts(con, PLAYED, [study]):
        arm, protocol = row["arm"], row["protocol"]
        draft.add("arms", arm, "protocol", protocol)
        draft.add("arms", arm, "options", orjson.loads(row["options"] or "{}"))
        draft.add("protocols", protocol, "version", row["version"])
        draft.add("protocols", protocol, "code", code_digits(row["code_hash"]))
        if row["grader"] is not None:
            draft.add("graders", row["grader"])
    for arm, seats in con.execute(LINEUPS, [study]).fetchall():
        own = planned.get(shareable(arm))
        lineup = {seat: agent for seat, agent in seats if own is None or seat in own}
        draft.add("arms", arm, "lineup", lineup_words(lineup))
    for row in read_dicts(con, AGENTS, [study]):
        own = planned.get(shareable(row["arm"]))
        if own is None or row["seat"] in own:
            settings = row["sampling"]
            draft.add("agents", row["agent"], "model", row["model"])
            draft.add("agents", row["agent"], "system prompt", row["system"])
            sampling = None if settings is None else orjson.loads(settings)
            draft.add("agents", row["agent"], "sampling", sampling)
            draft.add("arms", row["arm"], SEATED, seated_words(row["seat"], row, sampling))
            draft.add("agents", row["agent"], "weights", code_digits(row["digest"]))
            draft.add("agents", row["agent"], "function", code_digits(row["code_hash"]))
    for subject, text, images in con.execute(SUBJECTS, [study]).fetchall():
        draft.add("subjects", subject, "text", text)
        for image in images or ():
            draft.add("subjects", subject, IMAGES, image)
    for (repeat,) in con.execute(
        "select distinct repeat from episodes where study = ? order by 1", [study]
    ).fetchall():
        draft.add("repeats", str(repeat))
    return draft.parts


def seats_by_arm(plan: Plan) -> dict[str, set[str]]:
    """Return the seats of each arm's lineups: protocols may seat agents of their own beside."""
    return {
        arm: {part.partition(": ")[0] for words in fields["lineup"] for part in words.split("; ")}
        for arm, fields in plan.design["arms"].items()
    }


def lineup_words(agents: dict[str, str]) -> str:
    """Return a lineup as a design has it: "opposition: bob; proposition: alice"."""
    return "; ".join(f"{seat}: {agents[seat]}" for seat in sorted(agents))


def code_digits(code: str | None) -> str | None:
    """Return the first 16 hex digits of a hash of code or weights; None if it is not known."""
    return None if code is None else code.removeprefix("ast:")[:16]


def served_otherwise(con: Connection, study: str) -> list[Deviation]:
    """Return which agents were answered by more than one model, as far as providers name them."""
    served: dict[str, list[str]] = {}
    for agent, model, turns in con.execute(SERVED, [study]).fetchall():
        served.setdefault(agent, []).append(f"{model} ({pluralize(turns, 'turn')})")
    return [
        Deviation("agents", f"agent {agent} was answered by {len(models)}: {', '.join(models)}")
        for agent, models in served.items()
        if len(models) > 1
    ]


def removed(con: Connection, study: str, at: datetime, leftovers: int) -> list[Deviation]:
    """Return what was forgotten since a registration, and what is left of other plans."""
    deviations = [
        Deviation("episodes", f"{words} on {when:%Y-%m-%d %H:%M} UTC")
        for when, words in forgotten(con, study)
        if when > at
    ]
    if leftovers:
        verb = "is" if leftovers == 1 else "are"
        what = f"{pluralize(leftovers, 'episode')} of another plan {verb} in the store (leftovers)"
        deviations.append(Deviation("episodes", what))
    return deviations


def forgotten(con: Connection, study: str) -> list[tuple[datetime, str]]:
    """Return when how many episodes of a study were forgotten, and what was asked for."""
    return [
        (when, f"{pluralize(episodes, 'episode')} forgotten ({what})")
        for when, episodes, what in con.execute(LEFT_OUT, [study]).fetchall()
    ]


def describe_earlier(
    con: Connection,
    study: str,
    registration: Registration,
    others: Collection[Registration],
    before: int,
) -> list[str]:
    """Say what was in the store before a registration: episodes, runs, plans and other studies."""
    at = registration.registered_at
    lines = []
    if before:
        verb = "was" if before == 1 else "were"
        lines.append(f"{pluralize(before, 'episode')} of this study {verb} begun before it.")
    for run, started_at in con.execute(RUNS, [study, at]).fetchall():
        lines.append(f"Run {run} of this study: {started_at:%Y-%m-%d %H:%M} UTC.")
    for gone_at, words in forgotten(con, study):
        if gone_at <= at:
            lines.append(f"{words} on {gone_at:%Y-%m-%d %H:%M} UTC.")
    for other in others:
        when = f"{other.registered_at:%Y-%m-%d %H:%M} UTC"
        order = "Earlier" if other.registered_at < at else "Later"
        fault = f"; {other.fault}" if other.fault else ""
        lines.append(f"{order} registration {other.hash[:12]}: {when}{fault}.")
    names = [name for (name,) in con.execute(OTHERS, [study]).fetchall()]
    if names:
        more = ", ..." if len(names) > MOST_NAMES else ""
        count = pluralize(len(names), "other study", "other studies")
        lines.append(f"The store holds {count}: {', '.join(names[:MOST_NAMES])}{more}.")
    return lines


def without_prompts_of(plan: Plan, arms: Collection[str]) -> Plan:
    """Return a plan without the prompts of some arms, which cannot be compared."""
    prompts = {
        item: fields
        for item, fields in plan.design.get("prompts", {}).items()
        if item.partition(" / ")[0] not in arms
    }
    return replace(plan, design={**plan.design, "prompts": prompts})
