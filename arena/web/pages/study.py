"""One study: its findings as charts and numbers, and its list of debates or plays of questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from arena.errors import StudyError
from arena.store.migrations import quote_sql
from arena.store.views.record import KNOWN_USD
from arena.web.pages.figure import filters
from arena.web.site import PER_PAGE, Ask, Page, PageContent, Query, Row, Site, page_number

if TYPE_CHECKING:
    from analysis.figures.registry import FigureEntry

# With all views that these read.
VIEWS = (
    "studies",
    "episodes",
    "contestants",
    "rated_turns",
    "confidence_by_round",
    "outcomes",
    "accuracy",
    "missing",
    "seat_confidence",
    "ballot_counts",
    "vote_shares",
)
PUBLISHED_ROWS = 10_000
MOST_OPTIONS = 200
FACTS = """
    select protocol, count(*) as played, count(*) filter (status = 'done') as done,
           count(*) filter (status = 'failed') as failed
    from episodes where study = $study group by protocol order by protocol = 'judging', protocol
"""
PLANNED = "select arg_max(planned, started_at) as planned from runs where study = $study"
# The view `cost` also joins every call with its turn's phase, which takes seconds in a large store.
COST = f"""
    select {KNOWN_USD}, count(*) as calls,
           count(*) filter (cost_usd is null) as unknown
    from call_ends join plays using (episode) where study = $study
"""
STUDY_KIND = """
    select coalesce(
               (select 'debates' from seats join plays using (episode)
                where study = $study and seat = 'proposition' limit 1),
               (select 'questions' from plays join subjects using (subject)
                where study = $study and kind = 'question'
                  and (trim(gold) <> '' or grader is not null or episode in (
                      select episode from answers where correct is not null)) limit 1),
               'plays') as kind,
           exists (from rulings r join plays p on p.episode = r.debate
                   where p.study = $study) as judged,
           exists (from scores s join plays p on p.episode = s.episode
                   where p.study = $study) as scored,
           exists (from rulings r join plays p on p.episode = r.debate
                   join plays j on j.episode = r.episode
                   join runs on runs.study = j.study and runs.simulated
                   where p.study = $study) as judges_simulated
"""
# The options of each filter.  Judgings are listed only in a study of judgings ($all).
PLAYED = "(from episodes where study = $study and ($all or protocol <> 'judging'))"
CHOICES = {
    "arm": f"select distinct arm as value, arm as words from {PLAYED} order by 1",
    "model": "select distinct unnest([contestant, model]) as value, value as words"
    f" from contestants semi join {PLAYED} using (episode) order by 1",
    "subject": "select distinct subject as value, text as words"
    f" from subjects semi join {PLAYED} using (subject) order by 2",
    "phase": "select phase as value, phase as words from turns join plays using (episode)"
    " where study = $study and confidence_status <> 'not asked' group by phase order by min(round)",
}
OUTCOMES: dict[str, tuple[str, ...]] = {
    "debates": ("proposition", "opposition", "tie", "not judged"),
    "questions": ("right", "wrong", "cannot be told"),
    "plays": (),
}
# Shown above the list: the study's name is written out, so that a reader can take the SQL away.
SUMMARIES = {
    "debates": "from confidence_by_round where study = {study} order by arm, round",
    "questions": "from accuracy where study = {study} order by accuracy desc",
    "plays": "select arm, status, count(*) as n from episodes where study = {study}"
    " group by all order by all",
}
# Of protocols with any seats: a study of judgings has none of these.
SEATS = "from seat_confidence where study = {study} order by arm, round, role"
POLLS = (
    "select arm, count(*) as episodes, sum(voters) as voters, sum(votes) as votes,"
    " sum(missing) as missing, count(*) filter (tie) as ties from ballot_counts"
    " where study = {study} group by arm order by arm"
)
SHARES = "from vote_shares where study = {study} order by share desc, contestant"
RATED = """
    select arm, round, phase, count(distinct episode) as debates
    from rated_turns where study = $study and confidence is not null group by all
"""
MISSING = "from missing where study = {study} order by n desc limit 50"
# `mine` comes first, so that the other parts read the rows of this study alone.
DEBATES = """
    with mine as (
        select episode, arm, subject, repeat, started_at from episodes
        where study = $study and ($arm is null or arm = $arm)
          and ($subject is null or subject = $subject)),
    state as (
        select episode, arg_max(status, ended_at) as status
        from statuses semi join mine using (episode) group by episode),
    sides as (
        select episode, max(contestant) filter (seat = 'proposition') as proposition,
               max(contestant) filter (seat = 'opposition') as opposition, list(model) as models
        from contestants semi join mine using (episode)
        where seat in ('proposition', 'opposition') group by episode having count(*) = 2),
    rated as (
        select episode,
               arg_min_null(confidence, round) filter (seat = 'proposition') as proposition_first,
               arg_max_null(confidence, round) filter (seat = 'proposition') as proposition_last,
               arg_min_null(confidence, round) filter (seat = 'opposition') as opposition_first,
               arg_max_null(confidence, round) filter (seat = 'opposition') as opposition_last,
               count(*) filter (confidence is null) as missing
        from latest_turns semi join mine using (episode)
        where seat in ('proposition', 'opposition') and confidence_status <> 'not asked'
          and ($phase is null or phase = $phase)
        group by episode)
    select m.episode, m.arm, m.repeat, coalesce(status, 'open') as status, proposition, opposition,
           s.text as motion, proposition_first, proposition_last, opposition_first, opposition_last,
           coalesce(rated.missing, 0) as missing, {winner} as winner, count(*) over () as total
    from mine m join sides using (episode) left join state using (episode)
    left join rated using (episode) left join subjects s using (subject) {judged}
    where ($model is null or $model in (proposition, opposition) or list_contains(models, $model))
      and ($outcome is null or {winner} = $outcome)
    order by {order}, m.episode limit $limit offset $offset
"""
QUESTIONS = """
    select q.*, s.text, s.gold, count(*) over () as total
    from question_plays q left join subjects s using (subject)
    where q.study = $study and ($arm is null or q.arm = $arm)
      and ($subject is null or q.subject = $subject)
      and ($model is null or exists (
           from contestants c where c.episode = q.episode and $model in (c.contestant, c.model)))
      and ($phase is null or true)
      and ($outcome is null or $outcome =
           case q.correct when true then 'right' when false then 'wrong'
                else 'cannot be told' end)
    order by {order}, q.episode limit $limit offset $offset
"""
PLAYS = """
    select e.episode, e.arm, e.protocol, e.status, e.repeat, coalesce(m.text, s.text) as text,
           r.judge, r.winner, r.confidence, a.answer as result, count(*) over () as total
    from episodes e left join subjects s using (subject) left join latest_rulings r using (episode)
    left join (from latest_answers where final) a using (episode)
    left join plays d on d.episode = r.debate left join subjects m on m.subject = d.subject
    where e.study = $study and ($arm is null or e.arm = $arm)
      and ($subject is null or e.subject = $subject)
      and ($model is null
           or exists (from contestants c
                      where c.episode = e.episode and $model in (c.contestant, c.model)))
      and ($phase is null or true) and ($outcome is null or true)
    order by {order}, e.episode limit $limit offset $offset
"""
WINNERS = """
    select debate, majority as winner from outcomes where list_contains($debates, debate)
"""
# Plus 0 times the other side: a debate with one rating alone is NULL, since least() skips NULLs.
SUREST = (
    "least(proposition_last + 0 * opposition_last, opposition_last + 0 * proposition_last)"
    " desc nulls last"
)
RISE = "proposition_last - proposition_first + opposition_last - opposition_first"
LISTS = {"debates": DEBATES, "questions": QUESTIONS, "plays": PLAYS}
SORTS = {
    "debates": {
        "surest": ("both sides surest", SUREST),
        "rise": ("largest rise", f"{RISE} desc nulls last"),
        "fall": ("largest fall", f"{RISE} nulls last"),
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


@dataclass(frozen=True, slots=True)
class SeatTables:
    """Numbers of protocols with any seats: by seat, of the votes inside, and by whom these name.

    `sql` is that of the three; `left_out` counts the means that are withheld.
    """

    seats: Sequence[Row]
    polls: Sequence[Row]
    shares: Sequence[Row]
    sql: tuple[str, str, str]
    left_out: int


@dataclass(frozen=True, slots=True)
class StudyContent(PageContent):
    """The contents of a study's page.

    `kind` is debates, questions or plays; `facts` are plays by protocol, `ended` of `planned` of
    which have ended; `options` are (value, words) by filter; `sql` is that of summary and missing;
    `left_out` counts the means that are withheld, of fewer than `min_group_size` debates.
    """

    study: Row
    judges_simulated: bool
    scored: bool
    kind: str
    facts: Sequence[Row]
    ended: int
    planned: int
    cost: Row
    figures: Sequence[FigureEntry]
    summary: Sequence[Row]
    tables: SeatTables | None
    left_out: int
    min_group_size: int
    missing: Sequence[Row]
    sql: tuple[str, str]
    options: Mapping[str, Sequence[tuple[str, str]]]
    chosen: Mapping[str, str]
    sort: str
    sorts: Mapping[str, str]
    rows: Sequence[Row]
    total: int
    page: int
    pages: int
    most_options: int = MOST_OPTIONS


def study(site: Site, name: str, query: Query) -> Page:
    """Return the page of a study.

    Raises StudyError if it is unknown, or the query has an unknown sort or page.
    """
    from analysis.figures.figure import MIN_GROUP_SIZE
    from analysis.figures.registry import figures_for

    where = filters(query)
    page = page_number(query)
    with site.store(VIEWS) as ask:
        studies = ask("from studies where study = ?", [name])
        if not studies:
            raise StudyError(
                f"there is no study {name!r} in {site.db.name}; the first page lists all studies"
            )
        holds = ask(STUDY_KIND, {"study": name})[0]
        kind, judged = holds["kind"], holds["judged"]
        sort = sort_of(query, kind, private=site.private)
        limit, offset = (PUBLISHED_ROWS, 0) if site.static else (PER_PAGE, PER_PAGE * (page - 1))
        parameters = {"study": name, **where, "limit": limit, "offset": offset}
        rows = list_rows(ask, kind, sort, judged, parameters)
        sql = SUMMARIES[kind].format(study=quote_sql(name)), MISSING.format(study=quote_sql(name))
        min_size = 0 if site.private else MIN_GROUP_SIZE
        summary, left_out = summary_of(ask, sql[0], name, kind, min_size)
        missing = ask(sql[1])
        facts = ask(FACTS, {"study": name})
        tables = seat_tables(ask, name, facts, min_size) if kind == "plays" else None
        left_out += tables.left_out if tables else 0
        [cost], [plan] = (ask(text, {"study": name}) for text in (COST, PLANNED))
        choices = options(ask, name, kind, judged)
    if not rows and page > 1:
        raise StudyError(f"this list has no page {page}; it begins with page 1")
    total = rows[0]["total"] if rows else 0
    content = StudyContent(
        study=studies[0],
        judges_simulated=holds["judges_simulated"],
        scored=holds["scored"],
        kind=kind,
        facts=facts,
        ended=sum(row["done"] + row["failed"] for row in facts),
        planned=max(plan["planned"] or 0, sum(row["played"] for row in facts)),
        cost=cost,
        figures=[
            figure
            for figure in figures_for(kind, judged, site.private, scored=holds["scored"])
            if figure.name != "missing" or missing
        ],
        summary=summary,
        tables=tables,
        left_out=left_out,
        min_group_size=MIN_GROUP_SIZE,
        missing=missing,
        sql=sql,
        options=choices,
        chosen={key: value for key, value in where.items() if value is not None},
        sort=sort,
        sorts={key: words for key, (words, _) in SORTS[kind].items()},
        rows=rows,
        total=total,
        page=page,
        pages=-(-total // PER_PAGE),
    )
    live = content.planned > content.ended
    return Page("study.html", name, content, live=live, left_out=left_out)


def sort_of(query: Query, kind: str, *, private: bool) -> str:
    """Return the column that a list is sorted by; StudyError for one that it does not have."""
    # Sorting by ratings would reveal private ones.
    default = "motion" if kind == "debates" and not private else next(iter(SORTS[kind]))
    sort = query.get("sort") or default
    if sort not in SORTS[kind]:
        raise StudyError(f"sort must be one of {', '.join(SORTS[kind])}; found {sort!r}")
    return sort


def summary_of(
    ask: Ask, sql: str, study: str, kind: str, min_size: int
) -> tuple[Sequence[Row], int]:
    """Return the summary, and how many means of fewer than `min_size` debates are withheld."""
    summary = ask(sql)
    if kind != "debates" or not min_size:
        return summary, 0
    return suppress_small_groups(summary, ask(RATED, {"study": study}), min_size)


def seat_tables(ask: Ask, study: str, facts: Sequence[Row], min_size: int) -> SeatTables | None:
    """Return the numbers by seat, without means of ratings in fewer episodes than `min_size`.

    None for a study of judgings alone, by its `facts`.
    """
    if all(row["protocol"] == "judging" for row in facts):
        return None
    name = quote_sql(study)
    sql = SEATS.format(study=name), POLLS.format(study=name), SHARES.format(study=name)
    rows, polls, shares = (ask(text) for text in sql)
    small = [row["n"] > 0 and min(row["n"], row["episodes"]) < min_size for row in rows]
    hidden = {"mean": None, "sd": None}
    seats = [row | hidden if few else row for row, few in zip(rows, small, strict=True)]
    return SeatTables(seats, polls, shares, sql, sum(small))


def suppress_small_groups(
    summary: Sequence[Row], rated: Sequence[Row], min_size: int
) -> tuple[list[Row], int]:
    """Return the summary without the means of too few private ratings, and how many lost theirs."""
    group = itemgetter("arm", "round", "phase")
    small = {group(row) for row in rated if row["debates"] < min_size}
    hidden = {"mean": None, "sd": None}
    return [row | hidden if group(row) in small else row for row in summary], len(small)


def list_rows(
    ask: Ask, kind: str, sort: str, judged: bool, parameters: Mapping[str, object]
) -> list[Row]:
    """Return the rows of the list.

    Winners are looked up for these rows alone, unless the list is filtered by the winner: counting
    all verdicts takes longer.
    """
    by_winner = kind == "debates" and judged and parameters["outcome"] is not None
    winner = "coalesce(o.majority, 'not judged')" if by_winner else "'not judged'"
    joined = "left join outcomes o on o.debate = m.episode" if by_winner else ""
    sql = LISTS[kind].format(order=SORTS[kind][sort][1], winner=winner, judged=joined)
    rows = ask(sql, parameters)
    if kind == "debates" and judged and not by_winner:
        outcomes = ask(WINNERS, {"debates": [row["episode"] for row in rows]})
        winners = {row["debate"]: row["winner"] for row in outcomes}
        rows = [row | {"winner": winners.get(row["episode"]) or "not judged"} for row in rows]
    return rows


def options(ask: Ask, study: str, kind: str, judged: bool) -> dict[str, list[tuple[str, str]]]:
    """Return the values of each filter of the list as (value, words).

    A filter with one value is left out; of many values the first MOST_OPTIONS are offered, and the
    page says so.
    """
    skipped = {"debates": (), "questions": ("phase",), "plays": ("phase", "subject")}[kind]
    values = {
        key: [
            (row["value"], row["words"])
            for row in ask(sql, {"study": study, "all": kind == "plays"})[:MOST_OPTIONS]
            if row["value"] is not None
        ]
        for key, sql in CHOICES.items()
        if key not in skipped
    }
    if judged or kind == "questions":
        values["outcome"] = [(word, word) for word in OUTCOMES[kind]]
    return {key: listed for key, listed in values.items() if len(listed) > 1}
