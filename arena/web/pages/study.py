"""One study: its findings as pictures and numbers, and its debates or plays of questions, filtered, sorted and paged."""

from __future__ import annotations

from typing import Any

from arena.errors import StudyError
from arena.store.migrations import quote_sql
from arena.web.pages.figure import figures_for, filters
from arena.web.site import PER_PAGE, Ask, Page, Query, Row, Site, page_number

VIEWS = (
    "studies",
    "episodes",
    "confidence_by_round",
    "outcomes",
    "verdicts",
    "question_plays",
    "accuracy",
    "missing",
    "calls",
)
PUBLISHED_ROWS = 10_000
MOST_OPTIONS = 200
FACTS = """
    select protocol, count(*) as played, count(*) filter (status = 'done') as done, count(*) filter (status = 'failed') as failed
    from episodes where study = $study group by protocol order by protocol = 'judging', protocol
"""
PLANNED = "select arg_max(planned, started_at) as planned from runs where study = $study"
COST = """
    select sum(cost_usd) as cost_usd, count(*) as calls, count(*) filter (cost_usd is null) as unknown
    from call_ends join plays using (episode) where study = $study
"""
STUDY_KIND = """
    select coalesce((select 'debates' from seats join plays using (episode) where study = $study and seat = 'proposition' limit 1),
                    (select 'questions' from plays join subjects using (subject) where study = $study and kind = 'question' limit 1),
                    'plays') as kind,
           exists (from rulings r join plays p on p.episode = r.debate where p.study = $study) as judged,
           exists (from rulings r join plays p on p.episode = r.debate join plays j on j.episode = r.episode
                   join runs on runs.study = j.study and runs.simulated where p.study = $study) as judges_simulated
"""
CHOICES = {
    "arm": "select distinct arm as value, arm as words from plays where study = $study and ($all or protocol <> 'judging') order by 1",
    "model": "select distinct model as value, model as words from seats join plays using (episode) where study = $study"
    " and ($all or protocol <> 'judging') order by 1",
    "subject": "select distinct subject as value, text as words from plays join subjects using (subject) where study = $study"
    " and ($all or protocol <> 'judging') order by 2",
    "phase": "select phase as value, phase as words from turns join plays using (episode) where study = $study"
    " and confidence_status <> 'not asked' group by phase order by min(round)",
}
OUTCOMES = {
    "debates": ("proposition", "opposition", "tie", "not judged"),
    "questions": ("right", "wrong", "cannot be told"),
    "plays": (),
}
# What is shown above the list: as SQL that a reader can take away, since the study's name is written out in it.
SUMMARIES = {
    "debates": "select arm, round, phase, n, mean, sd, missing from confidence_by_round where study = {study} order by arm, round",
    "questions": "select arm, models, questions, episodes, accuracy, accuracy_of_readable, unreadable, accuracy_of_paths, calls_per_question,"
    " tokens_out_per_question, cost_usd_per_question from accuracy where study = {study} order by accuracy desc",
    "plays": "select arm, status, count(*) as n from episodes where study = {study} group by all order by all",
}
RATED = """
    select arm, round, phase, count(distinct episode) as debates from turns join episodes using (episode)
    where study = $study and status = 'done' and seat in ('proposition', 'opposition') and confidence is not null group by all
"""
MISSING = (
    "select arm, what, phase, reason, n from missing where study = {study} order by n desc limit 50"
)
DEBATES = """
    with mine as (
        select episode, arm, subject, repeat, started_at from plays
        where study = $study and ($arm is null or arm = $arm) and ($subject is null or subject = $subject)),
    state as (select episode, arg_max(status, ended_at) as status from statuses semi join mine using (episode) group by episode),
    sides as (
        select episode, max(model) filter (seat = 'proposition') as proposition, max(model) filter (seat = 'opposition') as opposition
        from seats semi join mine using (episode) where seat in ('proposition', 'opposition') group by episode having count(*) = 2),
    rated as (
        select episode, arg_min_null(confidence, round) filter (seat = 'proposition') as proposition_first,
               arg_max_null(confidence, round) filter (seat = 'proposition') as proposition_last,
               arg_min_null(confidence, round) filter (seat = 'opposition') as opposition_first,
               arg_max_null(confidence, round) filter (seat = 'opposition') as opposition_last,
               count(*) filter (confidence is null) as missing
        from turns semi join mine using (episode)
        where seat in ('proposition', 'opposition') and confidence_status <> 'not asked' and ($phase is null or phase = $phase)
        group by episode)
    select m.episode, m.arm, m.repeat, coalesce(status, 'open') as status, proposition, opposition, s.text as motion, proposition_first,
           proposition_last, opposition_first, opposition_last, coalesce(rated.missing, 0) as missing, {winner} as winner,
           count(*) over () as total
    from mine m join sides using (episode) left join state using (episode) left join rated using (episode)
    left join subjects s using (subject) {judged}
    where ($model is null or proposition = $model or opposition = $model) and ($outcome is null or {winner} = $outcome)
    order by {order}, m.episode limit $limit offset $offset
"""
QUESTIONS = """
    select q.episode, q.arm, q.models, q.repeat, q.answer, q.correct, q.confidence, q.status, q.paths, q.paths_correct, q.tokens_out,
           q.routes, s.text, s.gold, count(*) over () as total
    from question_plays q left join subjects s using (subject)
    where q.study = $study and ($arm is null or q.arm = $arm) and ($subject is null or q.subject = $subject)
      and ($model is null or contains(q.models, $model)) and ($phase is null or true)
      and ($outcome is null or $outcome = case q.correct when true then 'right' when false then 'wrong' else 'cannot be told' end)
    order by {order}, q.episode limit $limit offset $offset
"""
PLAYS = """
    select e.episode, e.arm, e.protocol, e.status, e.repeat, coalesce(m.text, s.text) as text, r.judge, r.winner, r.confidence,
           count(*) over () as total
    from episodes e left join subjects s using (subject) left join rulings r using (episode)
    left join plays d on d.episode = r.debate left join subjects m on m.subject = d.subject
    where e.study = $study and ($arm is null or e.arm = $arm) and ($subject is null or e.subject = $subject)
      and ($model is null or exists (from seats where seats.episode = e.episode and model = $model))
      and ($phase is null or true) and ($outcome is null or true)
    order by {order}, e.episode limit $limit offset $offset
"""
# The view outcomes, by the sum of confidences, for a few debates.
WINNERS = """
    with readings as (from rulings where debate in (select unnest($debates))),
    done as (select episode from statuses semi join readings using (episode) group by episode having arg_max(status, ended_at) = 'done'),
    votes as (
        select debate, count(*) as n, count(*) filter (confidence is null) as without_confidence,
               round(sum(if(winner = 'proposition', confidence, -confidence)), 9) as lead
        from readings semi join done using (episode) where winner in ('proposition', 'opposition') group by debate)
    select debate, case when without_confidence > 0 then null when lead > 0 then 'proposition' when lead < 0 then 'opposition' else 'tie' end
           as winner
    from votes
"""
# A debate with one rating alone has no surer side.
SUREST = "least(proposition_last + 0 * opposition_last, opposition_last + 0 * proposition_last) desc nulls last"
LISTS = {"debates": DEBATES, "questions": QUESTIONS, "plays": PLAYS}
SORTS = {
    "debates": {
        "surest": ("both sides surest", SUREST),
        "rise": (
            "largest rise",
            "proposition_last - proposition_first + opposition_last - opposition_first desc nulls last",
        ),
        "fall": (
            "largest fall",
            "proposition_last - proposition_first + opposition_last - opposition_first nulls last",
        ),
        "missing": ("most missing", "rated.missing desc nulls last"),
        "motion": ("motion", "motion nulls last"),
        "newest": ("newest", "m.started_at desc nulls last"),
    },
    "questions": {
        "wrong": ("wrong ones first", "q.correct nulls last"),
        "surest": ("surest", "q.confidence desc nulls last"),
        "split": ("most split", "abs(q.paths_correct / nullif(q.paths, 0) - 0.5) nulls last"),
        "tokens": ("most tokens", "q.tokens_out desc nulls last"),
        "question": ("question", "s.text nulls last"),
    },
    "plays": {
        "newest": ("newest", "e.started_at desc nulls last"),
        "status": ("status", "e.status desc"),
    },
}


def study(site: Site, name: str, query: Query) -> Page:
    """The study of that name.  Raises StudyError where there is none, or where the query asks for what no list knows."""
    chosen, page = filters(query), page_number(query)
    with site.store(VIEWS) as ask:
        found = ask("from studies where study = ?", [name])
        if not found:
            raise StudyError(
                f"there is no study {name!r} in {site.db.name}; the first page lists those there are"
            )
        holds = ask(STUDY_KIND, {"study": name})[0]
        kind, judged = holds["kind"], holds["judged"]
        # An order by ratings would tell of them.
        sort = query.get("sort") or (
            "motion" if kind == "debates" and not site.private else next(iter(SORTS[kind]))
        )
        if sort not in SORTS[kind]:
            raise StudyError(f"this list is sorted by {', '.join(SORTS[kind])}, found {sort!r}")
        limit, offset = (PUBLISHED_ROWS, 0) if site.static else (PER_PAGE, PER_PAGE * (page - 1))
        rows = list_rows(
            ask, kind, sort, judged, {"study": name, **chosen, "limit": limit, "offset": offset}
        )
        summary, missing = (sql.format(study=quote_sql(name)) for sql in (SUMMARIES[kind], MISSING))
        content = {
            "summary": ask(summary),
            "missing": ask(missing),
            "options": options(ask, name, kind, judged),
        }
        content |= {"cost": ask(COST, {"study": name})[0], "left_out": 0, **progress(ask, name)}
        if kind == "debates" and not site.private:
            content |= suppress_small_groups(content["summary"], ask(RATED, {"study": name}))
    if not rows and page > 1:
        raise StudyError(f"this list has no page {page}; it begins with page 1")
    total = rows[0]["total"] if rows else 0
    shown = [
        one
        for one in figures_for(kind, judged, site.private)
        if one.name != "missing" or content["missing"]
    ]
    content |= {
        "study": found[0] | {"judges_simulated": holds["judges_simulated"]},
        "kind": kind,
        "pictures": shown,
        "sql": (summary, missing),
    }
    content |= {
        "most_options": MOST_OPTIONS,
        "rows": rows,
        "total": total,
        "page": page,
        "pages": -(-total // PER_PAGE),
    }
    content |= {"sort": sort, "sorts": {key: words for key, (words, _) in SORTS[kind].items()}}
    content |= {"chosen": {what: value for what, value in chosen.items() if value is not None}}
    return Page("study.html", name, content, live=content["planned"] > content["ended"])


def suppress_small_groups(rows: list[Row], rated: list[Row]) -> dict[str, Any]:
    """The rows of the Numbers table (`summary`) without means of too few private ratings, how many lost theirs (`left_out`), and `few`."""
    from analysis.figures.figure import MIN_GROUP_SIZE

    small = {
        (row["arm"], row["round"], row["phase"]) for row in rated if row["debates"] < MIN_GROUP_SIZE
    }
    shown = [
        row | {"mean": None, "sd": None}
        if (row["arm"], row["round"], row["phase"]) in small
        else row
        for row in rows
    ]
    return {"summary": shown, "left_out": len(small), "few": MIN_GROUP_SIZE}


def progress(ask: Ask, study: str) -> dict[str, Any]:
    """Plays by protocol (`facts`), how many have ended, and how many are planned."""
    facts = ask(FACTS, {"study": study})
    planned = ask(PLANNED, {"study": study})[0]["planned"] or 0
    return {
        "facts": facts,
        "ended": sum(row["done"] + row["failed"] for row in facts),
        "planned": max(planned, sum(row["played"] for row in facts)),
    }


def list_rows(ask: Ask, kind: str, sort: str, judged: bool, asked: Row) -> list[Row]:
    """The rows of the list; who won is looked up for these alone, unless they are chosen by it: juries' words on all debates take longer."""
    by_winner = kind == "debates" and judged and asked["outcome"] is not None
    winner = "coalesce(o.confidence_sum, 'not judged')" if by_winner else "'not judged'"
    joined = "left join outcomes o on o.debate = m.episode" if by_winner else ""
    rows = ask(LISTS[kind].format(order=SORTS[kind][sort][1], winner=winner, judged=joined), asked)
    if kind == "debates" and judged and not by_winner:
        winners = {
            row["debate"]: row["winner"]
            for row in ask(WINNERS, {"debates": [row["episode"] for row in rows]})
        }
        rows = [row | {"winner": winners.get(row["episode"]) or "not judged"} for row in rows]
    return rows


def options(ask: Ask, study: str, kind: str, judged: bool) -> dict[str, list[tuple[str, str]]]:
    """What the list can be filtered by, each as (value, words); what has one value only is left out, and of many the first MOST_OPTIONS
    are offered, which the page says."""
    found = {
        what: [
            (row["value"], row["words"])
            for row in ask(sql, {"study": study, "all": kind == "plays"})[:MOST_OPTIONS]
            if row["value"] is not None
        ]
        for what, sql in CHOICES.items()
        if not (what == "phase" and kind != "debates")
        and not (what == "subject" and kind == "plays")
    }
    found["outcome"] = (
        [(word, word) for word in OUTCOMES[kind]] if judged or kind == "questions" else []
    )
    return {what: values for what, values in found.items() if len(values) > 1}
