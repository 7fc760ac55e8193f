"""A question as it was answered: seats as lanes, and which path was shown which summary.

Any other episode that is not a debate has this page too.  Judgings show the ruling and link to the
debate.  A turn shows the words that it added: a prefill of its own earlier words is not repeated,
and of the turns that it read only the new ones are listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from arena.errors import StudyError
from arena.store.views.registry import ALL_VIEWS
from arena.web.pages.debate import plain_title
from arena.web.pages.routes import Route, RouteDiagram, draw_routes
from arena.web.pages.texts import Text, text_of
from arena.web.pages.turns import (
    EpisodeContext,
    EpisodeRecord,
    Key,
    ReadTurn,
    StoredTurn,
    Transcript,
    episode_context,
    lanes_of,
    reads_of,
    shows_private,
    transcript_of,
    turns_in_order,
)
from arena.web.site import Ask, Page, PageContent, Query, Row, Site, page_number

# Lanes on one page, and characters of a text before it is folded.
LANES = 16
VISIBLE = 600
MOST_ROUTES_IN_TABLE = 1000
ROOM_FOR_REASONS = 300_000
ANSWERS = """
    select episode as of, seat, coalesce(stage, 0) as stage, answer, correct as right,
           coalesce(status, '') as status, confidence, canonical as value, final,
           confidence_source as source
    from latest_answers where episode in ($episodes) order by final desc, stage, seat
"""
GRADABLE = f"""
    select episode as of from ({ALL_VIEWS["gradable"].sql}) where episode in ($episodes)
"""
ROUTES = """
    select episode as of, block, path, peer, rank, similarity, router
    from routes where episode in ($episodes) order by block, path, rank
"""
MEASURES = """
    select seat, step, name, value from measures
    where episode = ? and list_contains(?, seat) order by name
"""
RULING = """
    select episode as of, debate, judge, winner, confidence, reasons, status, seat_order, repeat
    from latest_rulings where episode in ($episodes)
"""
JUDGED = """
    select p.episode as of, p.episode, p.study, m.text
    from plays p left join subjects m using (subject) where p.episode in ($episodes)
"""
SAME = """
    select me.episode as of, p.episode, p.arm, p.repeat, a.answer, a.correct as right, a.status
    from plays me
    join plays p on p.study = me.study and p.subject = me.subject and p.episode <> me.episode
    left join (from latest_answers where final) a on a.episode = p.episode
    where me.episode in ($episodes)
    qualify row_number() over (partition by me.episode order by p.arm, p.repeat, p.episode) <= 40
    order by p.arm, p.repeat, p.episode
"""


@dataclass(frozen=True, slots=True)
class GradedAnswer:
    """An answer and its grade: `right` is None if that is unknown, and `status` says why.

    `value` is the canonical value by which votes are counted, `source` what kind of number the
    confidence is, None if unknown.
    """

    seat: str
    stage: int
    answer: str | None
    right: bool | None
    status: str
    confidence: float | None
    value: str | None
    final: bool | None
    source: str | None


@dataclass(frozen=True, slots=True)
class Ruling:
    """The ruling of a judging; `debate` is the id of the debate."""

    debate: str
    judge: str | None
    winner: str | None
    confidence: float | None
    reasons: Text | None
    status: str | None
    seat_order: str | None
    repeat: int | None


@dataclass(frozen=True, slots=True)
class RoutesView:
    """The chosen routes as a picture and a table, and the blocks to choose from.

    `block` is None for all blocks; `left_out` counts the rows that the table leaves out.
    """

    blocks: Sequence[int]
    block: int | None
    drawing: RouteDiagram | None
    table: Sequence[Route]
    left_out: int


@dataclass(frozen=True, slots=True)
class QuestionContent(PageContent):
    """The contents of an episode's page.

    `only_votes`: nothing is right or wrong in it, so that its answers are votes.
    `page_query` is the part of the query that links to this page keep; `models` are (model, seats);
    `votes` are (value, seats); `same` are other plays of the question.
    """

    context: EpisodeContext
    only_votes: bool
    has_secrets: bool
    transcript: Transcript
    reads: Mapping[Key, Sequence[ReadTurn]]
    measures: Mapping[Key, Sequence[tuple[str, float]]]
    final: GradedAnswer | None
    grades: Sequence[GradedAnswer]
    lane_grades: Mapping[str, GradedAnswer]
    graded: Mapping[tuple[str, str | None], GradedAnswer]
    votes: Sequence[tuple[str | None, int]]
    same: Sequence[Row]
    page_query: Mapping[str, str]
    page: int
    pages: int
    total: int
    models: Sequence[tuple[str, int]]
    routes: RoutesView
    ruling: Ruling | None
    debate: Row | None


def question_page(site: Site, ask: Ask, episode: EpisodeRecord, query: Query) -> Page:
    """Return the page of an episode that is not a debate.

    `?page=` selects a page of lanes, `?block=` the routes of one block.
    """
    name = episode.episode
    turns = turns_in_order(ask, name)
    lanes = lanes_of(turns)
    page, pages = (1, 1) if site.static else (page_number(query), max(1, -(-len(lanes) // LANES)))
    shown = lanes if site.static else lanes[(page - 1) * LANES : page * LANES]
    page_query = {key: query[key] for key in ("block", "private") if key in query}
    routes = [Route(**row) for row in ask.rows(name, ROUTES)]
    grades = grades_of(ask.rows(name, ANSWERS), shows_confidence(site, query, turns))
    reads = reads_of(site, ask, name, turns)
    # Numbers that a reply states are private, and others may hang on private words.
    secrets = shows_private(site, query)
    measured = ask(MEASURES, [name, list(shown)]) if secrets else ()
    is_judging = episode.kind == "judging"
    ruling, debate = judging_of(ask, episode) if is_judging else (None, None)
    content = QuestionContent(
        episode_context(site, ask, episode, query),
        only_votes=not is_judging and not ask.rows(name, GRADABLE),
        has_secrets=any(turn.has_secrets for turn in turns),
        transcript=transcript_of(site, ask, name, turns, shown, query, VISIBLE),
        reads=new_reads(site, reads, turns, routes, Lanes(name, lanes, shown, page_query)),
        measures=measures_of(measured),
        final=next((grade for grade in grades if grade.final), None),
        grades=[grade for grade in grades if not grade.final],
        # Sorted by stage: of several answers of a seat the last one stays.
        lane_grades={grade.seat: grade for grade in grades},
        graded={(grade.seat, grade.answer): grade for grade in grades},
        votes=votes(grades),
        same=ask.rows(name, SAME),
        page_query=page_query,
        page=page,
        pages=pages,
        total=len(lanes),
        models=Counter(seat.model or "unknown" for seat in episode.seats.values()).most_common(),
        routes=view_routes(routes, query, site),
        ruling=ruling,
        debate=debate,
    )
    title = plain_title(episode.text or f"episode {name}", 120)
    return Page("question.html", title, content, live=episode.status == "open")


def shows_confidence(site: Site, query: Query, turns: Sequence[StoredTurn]) -> bool:
    """Return whether the confidence of answers may be shown.

    It may not if private ratings are hidden and it may be one of them.
    """
    return shows_private(site, query) or not any(
        turn.confidence is not None and not turn.rating_public for turn in turns
    )


def grades_of(rows: Sequence[Row], with_confidence: bool) -> list[GradedAnswer]:
    """Return the answers of an episode with their grades, in the order of the rows."""
    hidden = {} if with_confidence else {"confidence": None}
    return [GradedAnswer(**row | hidden) for row in rows]


def votes(grades: Sequence[GradedAnswer]) -> list[tuple[str | None, int]]:
    """Return (value, seats) of the last answers, most frequent first; None is unreadable."""
    last = {
        grade.seat: grade.value
        for grade in sorted(grades, key=lambda grade: grade.stage)
        if not grade.final
    }
    return Counter(last.values()).most_common()


def measures_of(rows: Sequence[Row]) -> dict[Key, list[tuple[str, float]]]:
    """Return the (name, value) of the measures of each turn."""
    measures: dict[Key, list[tuple[str, float]]] = {}
    for row in rows:
        measures.setdefault((row["seat"], row["step"]), []).append((row["name"], row["value"]))
    return measures


@dataclass(frozen=True, slots=True)
class Lanes:
    """The lanes of an episode: all, those on this page, and the rest of the page's query."""

    episode: str
    every: Sequence[str]
    shown: Sequence[str]
    query: Mapping[str, str]


def new_reads(
    site: Site,
    reads: Mapping[Key, Sequence[ReadTurn]],
    turns: Sequence[StoredTurn],
    routes: Sequence[Route],
    lanes: Lanes,
) -> dict[Key, list[ReadTurn]]:
    """Return the turns that each turn read and its seat had not read before.

    A turn that a router chose has the similarity of its route.
    """
    # Protocols that route name their seats path0, path1, ...
    routed = {(route.block, f"path{route.path}", f"path{route.peer}"): route for route in routes}
    seen_by: dict[str, set[tuple[str, int, str]]] = {}
    new: dict[Key, list[ReadTurn]] = {}
    for turn in sorted(turns, key=lambda turn: turn.step):
        seen = seen_by.setdefault(turn.seat, set())
        for read in reads.get((turn.seat, turn.step), ()):
            key = (read.seat, read.step, read.href)
            if key not in seen:
                route = routed.get((read.round, turn.seat, read.seat))
                own = read.href.startswith("#")
                href = href_across_pages(site, read, lanes) if own else read.href
                similarity = route.similarity if route else None
                new.setdefault((turn.seat, turn.step), []).append(
                    replace(read, href=href, similarity=similarity)
                )
            seen.add(key)
    return new


def href_across_pages(site: Site, read: ReadTurn, lanes: Lanes) -> str:
    """Return the link to a turn of this episode, which may be on another page of lanes."""
    if site.static or read.seat in lanes.shown or read.seat not in lanes.every:
        return read.href
    page = lanes.every.index(read.seat) // LANES + 1
    return site.link("question", lanes.episode, {**lanes.query, "page": page}) + read.href


def view_routes(routes: Sequence[Route], query: Query, site: Site) -> RoutesView:
    """Return the routes of the block in the query, or of all blocks.

    Without a block in the query, more than LANES paths show the first block only.  Raises
    StudyError for an unknown block.
    """
    blocks = sorted({route.block for route in routes})
    choice = query.get("block")
    block = None
    if choice is None or site.static:
        many = len({route.path for route in routes}) > LANES and not site.static
        block = blocks[0] if many else None
    elif choice in map(str, blocks):
        block = int(choice)
    elif choice != "all":
        listed = ", ".join(map(str, blocks)) or "none: nothing was routed"
        raise StudyError(f"block must be one of {listed}, or all; found {choice[:40]!r}")
    chosen = [route for route in routes if block in (None, route.block)]
    table = chosen[:MOST_ROUTES_IN_TABLE]
    return RoutesView(blocks, block, draw_routes(chosen), table, len(chosen) - len(table))


def judging_of(ask: Ask, episode: EpisodeRecord) -> tuple[Ruling | None, Row | None]:
    """Return the ruling of a judging, and the debate that was judged (episode, study, text)."""
    row = next(iter(ask.rows(episode.episode, RULING)), None)
    debate = row["debate"] if row else episode.subject_source
    ruling = None
    if row:
        reasons = text_of(row["reasons"], ROOM_FOR_REASONS, None) if row["reasons"] else None
        ruling = Ruling(**row | {"reasons": reasons})
    judged = ask.rows(debate, JUDGED) if debate else []
    return ruling, next(iter(judged), None)
