"""A question as it was answered, or any other episode that is no debate: seats as lanes, and who was shown whose summary.

Judgings stand here too, with the debate that was judged and the ruling.  A turn shows what it added: what it went on from (a prefill of its
own earlier words) is not repeated, and of what it read only what was new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from arena.errors import StudyError
from arena.play.prompt import NO_SPEECH
from arena.web.pages.debate import plain_title
from arena.web.pages.routes import Route, draw_routes
from arena.web.pages.turns import (
    Key,
    ReadTurn,
    common_content,
    episode_kind,
    has_secrets,
    lanes_of,
    reads_of,
    shows_private,
    text_of,
    transcript_of,
    turns_in_order,
)
from arena.web.site import Ask, Page, Query, Row, Site, page_number

LANES = 16
VISIBLE = 600
MOST_ROUTES_IN_TABLE = 1000
ANSWERS = "from answers where episode = ? order by final desc, stage, seat"
ROUTES = "select block, path, peer, rank, similarity, router from routes where episode = ? order by block, path, rank"
MEASURES = "select seat, step, name, value from measures where episode = ? and list_contains(?, seat) order by name"
RULING = "from rulings where episode = ?"
JUDGED = "select p.episode, p.study, m.text from plays p left join subjects m using (subject) where p.episode = ?"
SAME = """
    select p.episode, p.arm, p.repeat, a.answer, a.correct, a.status
    from plays p left join (from answers where final) a using (episode)
    where p.study = $study and p.subject = $subject and p.episode <> $episode order by p.arm, p.repeat, p.episode limit 40
"""


@dataclass(frozen=True, slots=True)
class GradedAnswer:
    """An answer with what it is worth: `right` is None where that cannot be told, and `status` says why."""

    seat: str
    stage: int
    answer: str | None
    right: bool | None
    status: str
    confidence: float | None
    value: str | None


def question_page(site: Site, ask: Ask, episode: Row, query: Query) -> Page:
    """The page of an episode that is no debate; `?page=` pages through many lanes, `?block=` draws the routes of one block."""
    name = episode["episode"]
    turns = turns_in_order(ask, name)
    lanes = lanes_of(turns)
    page, pages = (1, 1) if site.static else (page_number(query), max(1, -(-len(lanes) // LANES)))
    shown = lanes if site.static else lanes[(page - 1) * LANES : page * LANES]
    here = {key: query[key] for key in ("block", "private") if key in query}
    routes = [Route(**row) for row in ask(ROUTES, [name])]
    grades = grades_of(ask(ANSWERS, [name]), shows_confidence(site, query, turns))
    content = common_content(site, ask, episode, query) | {
        "kind": episode_kind(episode),
        "secrets": any(map(has_secrets, turns)),
        "transcript": transcript_of(site, ask, episode, turns, shown, query, VISIBLE),
        "reads": new_reads(
            site, reads_of(site, ask, name, turns), turns, routes, Lanes(name, lanes, shown, here)
        ),
        "measures": measures_of(ask(MEASURES, [name, list(shown)])),
        "final": next((grade for grade, row in grades if row["final"]), None),
        "grades": [grade for grade, row in grades if not row["final"]],
        "lane_grades": {grade.seat: grade for grade, _ in grades},
        "graded": {(grade.seat, grade.answer): grade for grade, _ in grades},
        "votes": votes(grades),
        "same": ask(
            SAME, {"study": episode["study"], "subject": episode["subject"], "episode": name}
        )
        if episode["subject"]
        else [],
        "here": here,
        "page": page,
        "pages": pages,
        "total": len(lanes),
        "models": models(episode),
        "no_speech": NO_SPEECH,
        **routes_content(routes, query, site),
        **(
            judging_content(ask, episode)
            if episode_kind(episode) == "judging"
            else {"ruling": None, "debate": None}
        ),
    }
    return Page(
        "question.html",
        plain_title(episode["text"] or f"episode {name}", 120),
        content,
        live=episode["status"] == "open",
    )


def shows_confidence(site: Site, query: Query, turns: Sequence[Row]) -> bool:
    """Whether the confidence of answers may stand here: not where it may be a rating that was private, and private ones are left out."""
    return shows_private(site, query) or not any(
        turn["confidence"] is not None and not turn["rating_public"] for turn in turns
    )


def grades_of(rows: Sequence[Row], confidence: bool) -> list[tuple[GradedAnswer, Row]]:
    """The answers of an episode, each with its row."""
    return [
        (
            GradedAnswer(
                row["seat"],
                row["stage"] or 0,
                row["answer"],
                row["correct"],
                row["status"] or "",
                row["confidence"] if confidence else None,
                row["canonical"],
            ),
            row,
        )
        for row in rows
    ]


def votes(grades: Sequence[tuple[GradedAnswer, Row]]) -> list[tuple[str | None, int]]:
    """(value, seats) of the seats' last answers, most frequent first; None stands for those that cannot be read."""
    last = {
        grade.seat: grade.value
        for grade, row in sorted(grades, key=lambda pair: pair[0].stage)
        if not row["final"]
    }
    return Counter(last.values()).most_common()


def models(episode: Row) -> list[tuple[str, int]]:
    """(model, seats) of the models that sat in an episode."""
    return Counter(seat["model"] or "unknown" for seat in episode["seats"].values()).most_common()


def measures_of(rows: Sequence[Row]) -> dict[Key, list[tuple[str, float]]]:
    """(name, value) of the measures of each turn."""
    found: dict[Key, list[tuple[str, float]]] = {}
    for row in rows:
        found.setdefault((row["seat"], row["step"]), []).append((row["name"], row["value"]))
    return found


@dataclass(frozen=True, slots=True)
class Lanes:
    """Where turns stand: all lanes of the episode, those on this page, and what else its address holds."""

    episode: str
    every: Sequence[str]
    shown: Sequence[str]
    query: Mapping[str, str]


def new_reads(
    site: Site,
    reads: Mapping[Key, Sequence[ReadTurn]],
    turns: Sequence[Row],
    routes: Sequence[Route],
    lanes: Lanes,
) -> dict[Key, list[ReadTurn]]:
    """Of what each turn had read only what its seat had not read before, with the similarity where a router chose it."""
    routed = {(route.block, f"path{route.path}", f"path{route.peer}"): route for route in routes}
    before: dict[str, set[tuple[str, int, str]]] = {}
    found: dict[Key, list[ReadTurn]] = {}
    for turn in sorted(turns, key=lambda turn: turn["step"]):
        known = before.setdefault(turn["seat"], set())
        for read in reads.get((turn["seat"], turn["step"]), ()):
            if (read.seat, read.step, read.href) not in known:
                route = routed.get((read.round, turn["seat"], read.seat))
                href = (
                    href_across_pages(site, read, lanes) if read.href.startswith("#") else read.href
                )
                similarity = route.similarity if route else None
                found.setdefault((turn["seat"], turn["step"]), []).append(
                    replace(read, href=href, similarity=similarity)
                )
            known.add((read.seat, read.step, read.href))
    return found


def href_across_pages(site: Site, read: ReadTurn, lanes: Lanes) -> str:
    """Where a turn of this episode stands: on this page, or on another page of lanes."""
    if site.static or read.seat in lanes.shown or read.seat not in lanes.every:
        return read.href
    return (
        site.link(
            "question",
            lanes.episode,
            {**lanes.query, "page": lanes.every.index(read.seat) // LANES + 1},
        )
        + read.href
    )


def routes_content(routes: Sequence[Route], query: Query, site: Site) -> dict[str, Any]:
    """The picture and the table of the routes: all blocks, or one where that is asked for, or where there are more than 16 paths.

    Raises StudyError for a block that there is not.
    """
    blocks = sorted({route.block for route in routes})
    wanted = query.get("block")
    if wanted is None or site.static:
        many = len({route.path for route in routes}) > LANES and not site.static
        block = blocks[0] if many else None
    elif wanted == "all":
        block = None
    elif wanted in map(str, blocks):
        block = int(wanted)
    else:
        raise StudyError(
            f"block must be one of {', '.join(map(str, blocks)) or 'none: nothing was routed'}, or all; found {wanted[:40]!r}"
        )
    chosen = [route for route in routes if block in (None, route.block)]
    return {
        "blocks": blocks,
        "block": block,
        "drawing": draw_routes(chosen),
        "routes": chosen[:MOST_ROUTES_IN_TABLE],
        "routes_left_out": max(0, len(chosen) - MOST_ROUTES_IN_TABLE),
    }


def judging_content(ask: Ask, episode: Row) -> dict[str, Any]:
    """The ruling of a judging with its reasons as a text, and the debate that was judged."""
    ruling = next(iter(ask(RULING, [episode["episode"]])), None)
    debate = ruling["debate"] if ruling else episode["subject_source"]
    found = next(iter(ask(JUDGED, [debate])), None)
    if ruling and ruling["reasons"]:
        ruling["reasons"] = text_of(ruling["reasons"], 300_000, None)
    return {"ruling": ruling, "debate": found}
