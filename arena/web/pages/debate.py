"""A debate: its motion, the confidence of both sides, every speech in its lane, and what the judges made of it.

The outcome is counted as the view `outcomes` counts it, for this debate alone.  The picture of the confidence is made of the same numbers
as the table under it; nothing is fitted or smoothed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arena.play.prompt import NO_SPEECH
from arena.store.migrations import quote_sql
from arena.text import printable
from arena.types import NOT_ASKED
from arena.web.pages.turns import (
    SIDES,
    Text,
    Transcript,
    VisibleTurn,
    common_content,
    has_secrets,
    lanes_of,
    reads_of,
    room_for_each,
    size_of,
    text_of,
    transcript_of,
    turns_in_order,
)
from arena.web.site import Ask, Page, Query, Row, Site

LEFT, TOP, HEIGHT, STEP, RIGHT = 46, 18, 200, 130, 106
ROOM_FOR_REASONS = 300_000
# Judgings that gave a ruling, and those of this debate that failed or are still open.
JUDGINGS = """
    with found as (
        select episode from rulings where debate = $episode
        union select p.episode from plays p join subjects d using (subject) where d.kind = 'debate' and d.source = $episode)
    select p.episode, coalesce(r.judge, s.agent, 'unknown') as judge, coalesce(r.seat_order, p.options->>'order', 'as played') as seat_order,
           coalesce(r.repeat, p.repeat, 0) as repeat, r.winner, r.confidence, r.reasons, r.status as reading, e.status, e.error_kind
    from found join plays p using (episode) left join rulings r using (episode)
    left join (from seats where seat = 'judge') s using (episode)
    left join (from statuses where episode in (from found) qualify row_number() over (partition by episode order by ended_at desc) = 1) e
        using (episode)
    order by judge, repeat, seat_order, p.episode
"""
VERDICTS = "select judge, seat_order, repeat, winner, confidence, status, reasons from verdicts where debate = {episode} order by all"
RATED = "select round, phase, seat, confidence, confidence_status from turns where episode = {episode} order by round, seat desc"


@dataclass(frozen=True, slots=True)
class Point:
    """A rating in the picture: where it stands, its words, and where these stand."""

    x: float
    y: float
    label: str
    label_y: float


@dataclass(frozen=True, slots=True)
class SideLine:
    """One side's ratings: its points, the strokes between neighbours (SVG points), and where the side's name stands."""

    side: str
    points: tuple[Point, ...]
    strokes: tuple[str, ...]
    name_y: float


@dataclass(frozen=True, slots=True)
class ConfidenceChart:
    """Both sides' confidence over the phases, as points in a box of this width and height."""

    width: int
    height: int
    phases: tuple[tuple[float, str], ...]
    lines: tuple[SideLine, ...]


@dataclass(frozen=True, slots=True)
class JudgeReading:
    """One judge's reading of the debate: the judging's episode, its order and repeat, and what came of it.

    `counts` says whether the view `verdicts` has it: judgings that are open do not count, failed ones count as missing.
    """

    episode: str
    judge: str
    seat_order: str
    repeat: int
    winner: str | None
    confidence: float | None
    reasons: Text | None
    status: str
    counts: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the readings come to; winners are a side, "tie", or None where there is none."""

    votes: Mapping[str, int]
    sums: Mapping[str, float]
    abstained: int
    missing: int
    without_confidence: int
    majority: str | None
    confidence_sum: str | None


def debate_page(site: Site, ask: Ask, episode: Row, query: Query) -> Page:
    """The page of a debate; `?private=0` leaves out what the debaters kept for themselves."""
    turns = turns_in_order(ask, episode["episode"])
    others = tuple(seat for seat in lanes_of(turns) if seat not in SIDES)
    transcript = transcript_of(site, ask, episode, turns, SIDES + others, query, None)
    readings = readings_of(ask(JUDGINGS, {"episode": episode["episode"]}))
    content = common_content(site, ask, episode, query) | {
        "secrets": any(map(has_secrets, turns)),
        "sides": SIDES,
        "others": others,
        "transcript": transcript,
        "reads": reads_of(site, ask, episode["episode"], turns),
        "picture": confidence_chart(transcript),
        "table": ratings(transcript),
        "gaps": gaps(transcript),
        "columns": sorted({(one.repeat, one.seat_order) for one in readings}),
        "judges": {
            judge: [one for one in readings if one.judge == judge]
            for judge in dict.fromkeys(one.judge for one in readings)
        },
        "flips": {(one.judge, one.repeat) for one in readings if has_flipped(one, readings)},
        "outcome": outcome(readings)
        if episode["status"] == "done" and any(one.counts for one in readings)
        else None,
        "no_speech": NO_SPEECH,
        "rated_sql": RATED.format(episode=quote_sql(episode["episode"])),
        "sql": VERDICTS.format(episode=quote_sql(episode["episode"])),
    }
    return Page(
        "debate.html",
        plain_title(episode["text"] or f"debate {episode['episode']}", 120),
        content,
        live=episode["status"] == "open",
    )


def plain_title(text: str, longest: int) -> str:
    """The beginning of a text for places that can mark nothing up: titles of windows, and words in pictures."""
    line = " ".join(text[: 4 * longest].split())
    return printable(line if len(line) <= longest else line[: longest - 1] + "…")


def rated_turn(turns: Sequence[VisibleTurn]) -> VisibleTurn | None:
    """The turn of a cell whose rating counts: the last that has one, else the last that was asked for one."""
    asked = [said for said in turns if said.confidence_status != NOT_ASKED]
    return next(
        (said for said in reversed(asked) if said.confidence is not None),
        asked[-1] if asked else None,
    )


def ratings(transcript: Transcript) -> list[tuple[str, list[VisibleTurn | None]]]:
    """(phase, the rated turn of each side) by row, for the table."""
    rows = [
        (row[1], [rated_turn(transcript.cells.get((row, side), ())) for side in SIDES])
        for row in transcript.rows
    ]
    return [row for row in rows if any(row[1])]


def gaps(transcript: Transcript) -> list[tuple[str, str, str]]:
    """(side, phase, reason) of every rating that was asked for and is missing."""
    asked = [
        (side, phase, said)
        for phase, both in ratings(transcript)
        for side, said in zip(SIDES, both, strict=True)
    ]
    return [
        (side, phase, said.confidence_status)
        for side, phase, said in asked
        if said and said.confidence is None
    ]


def confidence_chart(transcript: Transcript) -> ConfidenceChart | None:
    """The confidence of both sides over the phases; None where no rating can be shown."""
    rows = ratings(transcript)
    shown = [[said.confidence if said else None for said in both] for _, both in rows]
    if not any(value is not None for both in shown for value in both):
        return None
    lines = []
    for number, side in enumerate(SIDES):
        points = {
            i: point(i, both, number) for i, both in enumerate(shown) if both[number] is not None
        }
        strokes = [
            f"{one.x:g},{one.y:g} {points[i + 1].x:g},{points[i + 1].y:g}"
            for i, one in points.items()
            if i + 1 in points
        ]
        last = points[max(points)].y if points else confidence_y(0.5)
        lines.append(SideLine(side, tuple(points.values()), tuple(strokes), last))
    width = LEFT + STEP * (len(rows) - 1) + 30 + RIGHT
    phases = tuple(
        (LEFT + 24 + STEP * i, plain_title(phase.replace("_", " "), 16))
        for i, (phase, _) in enumerate(rows)
    )
    return ConfidenceChart(width, TOP + HEIGHT + 30, phases, separate_names(lines))


def point(i: int, both: Sequence[float | None], number: int) -> Point:
    """Where a rating stands; its words are above it where it is the higher of the two (of equals the proposition's), else below."""
    mine, theirs = both[number] or 0.0, both[1 - number]
    above = theirs is None or mine > theirs or (mine == theirs and number == 0)
    y = confidence_y(mine)
    # Words that would leave the box stand on the other side of their point.
    label_y = (
        y - 9 if (above and y - 9 > 10) or (not above and y + 18 > TOP + HEIGHT + 8) else y + 18
    )
    return Point(LEFT + 24 + STEP * i, y, f"{100 * mine:g}%", label_y)


def confidence_y(confidence: float) -> float:
    """The y of a confidence; what lies outside of [0, 1] stands at the edge."""
    return TOP + HEIGHT * (1 - min(max(confidence, 0.0), 1.0))


def separate_names(lines: Sequence[SideLine]) -> tuple[SideLine, ...]:
    """The lines with their names at least a line of text apart."""
    first, second = lines
    near = 16 - abs(first.name_y - second.name_y)
    if near > 0:
        shift = near / 2 if first.name_y > second.name_y else -near / 2
        first = SideLine(first.side, first.points, first.strokes, first.name_y + shift)
        second = SideLine(second.side, second.points, second.strokes, second.name_y - shift)
    return first, second


def readings_of(rows: Sequence[Row]) -> list[JudgeReading]:
    """The judgings of a debate as readings, in the order of the rows."""
    room = room_for_each([size_of(row["reasons"] or "") for row in rows], ROOM_FOR_REASONS)
    readings = []
    for row in rows:
        state = row["status"] or "open"
        done = state == "done" and row["reading"] is not None
        status = (
            row["reading"]
            if done
            else f"failed: {row['error_kind']}"
            if state == "failed"
            else "open"
            if state == "open"
            else "no ruling"
        )
        reasons = text_of(row["reasons"], room, None) if done and row["reasons"] else None
        winner, confidence = (row["winner"], row["confidence"]) if done else (None, None)
        place = row["episode"], row["judge"], row["seat_order"], row["repeat"]
        readings.append(
            JudgeReading(
                *place, winner, confidence, reasons, status or "", done or state == "failed"
            )
        )
    return readings


def has_flipped(one: JudgeReading, readings: Sequence[JudgeReading]) -> bool:
    """Whether this judge named another side when the sides stood in the other order, in the same repeat (as the view `flips` has it)."""
    mine = [
        r for r in readings if r.judge == one.judge and r.repeat == one.repeat and r.winner in SIDES
    ]
    return len({r.seat_order for r in mine}) == 2 and len({r.winner for r in mine}) == 2


def outcome(readings: Sequence[JudgeReading]) -> Outcome:
    """Votes and sums of confidences over all readings that count, and who won by each."""
    counted = [one for one in readings if one.counts]
    votes = {side: sum(one.winner == side for one in counted) for side in SIDES}
    sums = {
        side: sum(one.confidence or 0.0 for one in counted if one.winner == side) for side in SIDES
    }
    without = sum(one.winner in SIDES and one.confidence is None for one in counted)
    lead, ahead = votes[SIDES[0]] - votes[SIDES[1]], round(sums[SIDES[0]] - sums[SIDES[1]], 9)
    voted = any(votes.values())
    return Outcome(
        votes,
        sums,
        abstained=sum(one.winner == "abstain" for one in counted),
        missing=sum(one.winner is None for one in counted),
        without_confidence=without,
        majority=leader(lead) if voted else None,
        confidence_sum=leader(ahead) if voted and not without else None,
    )


def leader(lead: float) -> str:
    """The side that is ahead, by the proposition's lead."""
    return SIDES[0] if lead > 0 else SIDES[1] if lead < 0 else "tie"
