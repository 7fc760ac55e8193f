"""A debate: its motion, the confidence of both sides, every speech in its lane, and its judges.

Votes and outcome are those of the views `votes` and `outcomes`, over this debate's readings alone.
The chart of the confidence shows the numbers of the table below it; nothing is fitted or smoothed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arena.store.migrations import quote_sql
from arena.store.views.registry import ALL_VIEWS
from arena.text import printable
from arena.types import NOT_ASKED
from arena.web.pages.texts import Text, room_for_each, size_of, text_of
from arena.web.pages.turns import (
    EPISODE,
    SIDES,
    EpisodeContext,
    EpisodeRecord,
    Key,
    ReadTurn,
    Transcript,
    VisibleTurn,
    episode_context,
    lanes_of,
    reads_of,
    transcript_of,
    turns_in_order,
)
from arena.web.site import Ask, Page, PageContent, Query, Row, Site

# Pixels of the chart of confidences.
LEFT, TOP, HEIGHT, STEP, RIGHT = 46, 28, 200, 130, 106
ROOM_FOR_REASONS = 300_000
# Judgings that gave a ruling, and those of this debate that failed or are still open.  A ruling
# counts only if its judging is done, as in the view `verdicts`.
JUDGINGS = """
    with judgings as (
        select debate as of, episode from rulings where debate in ($episodes)
        union select d.source, p.episode from plays p join subjects d using (subject)
        where d.kind = 'debate' and d.source in ($episodes)),
    latest as (
        from statuses where episode in (select episode from judgings)
        qualify row_number() over (partition by episode order by ended_at desc) = 1)
    select j.of, p.episode, p.study as jury, coalesce(r.judge, s.agent, 'unknown') as judge,
           coalesce(r.seat_order, p.options->>'order', 'as played') as seat_order,
           coalesce(r.repeat, p.repeat, 0) as repeat, r.winner, r.confidence, r.reasons,
           coalesce(r.status, case e.status when 'failed' then concat('failed: ', e.error_kind)
                                            when 'done' then 'no ruling' else 'open' end) as status,
           coalesce(r.status is not null or e.status = 'failed', false) as counts
    from judgings j join plays p using (episode) left join latest e using (episode)
    left join latest_rulings r
        on r.episode = p.episode and e.status = 'done' and r.status is not null
    left join (from seats where seat = 'judge') s on s.episode = p.episode
    order by judge, repeat, seat_order, p.episode
"""
# The views `votes` and `outcomes` over a few debates.  These tables stand in for their sources, so
# that the store is not read, and a page costs the same in a store of any size.
VOTES = f"""
    with verdicts as (
        select unnest($debate_of::varchar[]) as debate, unnest($episodes::varchar[]) as episode,
               unnest($judges::varchar[]) as judge, unnest($orders::varchar[]) as seat_order,
               unnest($repeats::integer[]) as repeat, unnest($winners::varchar[]) as winner,
               unnest($confidences::double[]) as confidence),
    plays as (
        select unnest($episodes::varchar[]) as episode, unnest($juries::varchar[]) as study),
    episodes as (
        select unnest($debates::varchar[]) as episode, unnest($studies::varchar[]) as study,
               'done' as status),
    votes as ({ALL_VIEWS["votes"].sql})
"""
CAST = f"{VOTES} select debate, judge, repeat, winner, confidence, flipped from votes order by all"
OUTCOME = f"{VOTES} from ({ALL_VIEWS['outcomes'].sql})"
# Shown on the page: the debate's id is written out, so that a reader can take the SQL away.
VERDICTS = (
    "select judge, seat_order, repeat, winner, confidence, status, reasons"
    " from verdicts where debate = {episode} order by all"
)
RATED = (
    "select round, phase, seat, confidence, confidence_status"
    " from latest_turns where episode = {episode} order by round, seat desc"
)


@dataclass(frozen=True, slots=True)
class Point:
    """A rating in the chart: its position, its label, and the label's y."""

    x: float
    y: float
    label: str
    label_y: float


@dataclass(frozen=True, slots=True)
class SideLine:
    """The ratings of one side: points, strokes between neighbours (as SVG), and the name's y."""

    side: str
    points: tuple[Point, ...]
    strokes: tuple[str, ...]
    name_y: float


@dataclass(frozen=True, slots=True)
class ConfidenceChart:
    """Both sides' confidence over the phases, in a box of this size; `phases` are (x, name)."""

    width: int
    height: int
    phases: tuple[tuple[float, str], ...]
    lines: tuple[SideLine, ...]


@dataclass(frozen=True, slots=True)
class JudgeReading:
    """One judge's reading of the debate: the episode and study of the judging, and its result.

    `counts`: whether the view `verdicts` has it.  Open judgings do not count; failed ones count as
    missing.
    """

    episode: str
    jury: str
    judge: str
    seat_order: str
    repeat: int
    winner: str | None
    confidence: float | None
    reasons: Text | None
    status: str
    counts: bool


@dataclass(frozen=True, slots=True)
class JudgeVote:
    """A row of the view `votes`: what a judge says over both orders, in one repeat.

    `winner` is a side, "abstain", or None where a reading is missing.
    """

    judge: str
    repeat: int
    winner: str | None
    confidence: float | None
    flipped: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row of the view `outcomes`: votes, sums of confidences, and the winner by each.

    A winner is a side, "tie", or None without a vote.
    """

    study: str
    debate: str
    votes_proposition: int
    votes_opposition: int
    abstained: int
    flipped: int
    missing: int
    sum_proposition: float
    sum_opposition: float
    without_confidence: int
    majority: str | None
    confidence_sum: str | None


@dataclass(frozen=True, slots=True)
class DebateContent(PageContent):
    """The contents of a debate's page.

    `others` are seats that are no side; `columns` the (repeat, order) of the table of judges;
    `votes` are what the readings of each judge amount to.
    """

    context: EpisodeContext
    has_secrets: bool
    others: tuple[str, ...]
    transcript: Transcript
    reads: Mapping[Key, Sequence[ReadTurn]]
    chart: ConfidenceChart | None
    table: Sequence[tuple[str, Sequence[VisibleTurn | None]]]
    gaps: Sequence[tuple[str, str, str]]
    columns: Sequence[tuple[int, str]]
    judges: Mapping[str, Sequence[JudgeReading]]
    votes: Mapping[str, Sequence[JudgeVote]]
    outcome: Outcome | None
    rated_sql: str
    sql: str
    sides: tuple[str, str] = SIDES


def debate_page(site: Site, ask: Ask, episode: EpisodeRecord, query: Query) -> Page:
    """Return the page of a debate; `?private=0` hides private thoughts and ratings."""
    name = episode.episode
    turns = turns_in_order(ask, name)
    # A moderator, for example: its speeches stand below those of the sides.
    others = tuple(seat for seat in lanes_of(turns) if seat not in SIDES)
    transcript = transcript_of(site, ask, name, turns, SIDES + others, query, None)
    readings = readings_of(ask.rows(name, JUDGINGS))
    judges: dict[str, list[JudgeReading]] = {}
    for reading in readings:
        judges.setdefault(reading.judge, []).append(reading)
    # An open debate has no outcome, whatever has been said of it.
    votes, outcome = ask.of(name, votes_and_outcomes) if episode.status == "done" else ({}, None)
    content = DebateContent(
        episode_context(site, ask, episode, query),
        has_secrets=any(turn.has_secrets for turn in turns),
        others=others,
        transcript=transcript,
        reads=reads_of(site, ask, name, turns),
        chart=confidence_chart(transcript),
        table=ratings(transcript),
        gaps=gaps(transcript),
        columns=sorted({(reading.repeat, reading.seat_order) for reading in readings}),
        judges=judges,
        votes=votes,
        outcome=outcome,
        rated_sql=RATED.format(episode=quote_sql(name)),
        sql=VERDICTS.format(episode=quote_sql(name)),
    )
    title = plain_title(episode.text or f"debate {name}", 120)
    return Page("debate.html", title, content, live=episode.status == "open")


def plain_title(text: str, longest: int) -> str:
    """Return the beginning of a text without markup, for window titles and charts."""
    line = " ".join(text[: 4 * longest].split())
    return printable(line if len(line) <= longest else line[: longest - 1] + "…")


def rated_turn(turns: Sequence[VisibleTurn]) -> VisibleTurn | None:
    """Return the last turn with a rating, else the last that was asked for one, else None."""
    candidates = [turn for turn in turns if turn.confidence_status != NOT_ASKED]
    rated = [turn for turn in candidates if turn.confidence is not None]
    return next(reversed(rated or candidates), None)


def ratings(transcript: Transcript) -> list[tuple[str, list[VisibleTurn | None]]]:
    """Return (phase, the rated turn of each side) for every row with a rating, for the table."""
    rows = [
        (row[1], [rated_turn(transcript.cells.get((row, side), ())) for side in SIDES])
        for row in transcript.rows
    ]
    return [row for row in rows if any(row[1])]


def gaps(transcript: Transcript) -> list[tuple[str, str, str]]:
    """Return (side, phase, reason) of every rating that was asked for and is missing."""
    return [
        (side, phase, turn.confidence_status)
        for phase, both in ratings(transcript)
        for side, turn in zip(SIDES, both, strict=True)
        if turn and turn.confidence is None
    ]


def confidence_chart(transcript: Transcript) -> ConfidenceChart | None:
    """Return the chart of both sides' confidence; None if no rating can be shown."""
    rows = ratings(transcript)
    pairs = [[turn.confidence if turn else None for turn in both] for _, both in rows]
    if not any(value is not None for both in pairs for value in both):
        return None
    lines = []
    for number, side in enumerate(SIDES):
        rated = [(i, both) for i, both in enumerate(pairs) if both[number] is not None]
        points = {i: chart_point(i, both, number) for i, both in rated}
        # A missing rating leaves a gap: only neighbours are joined.
        strokes = [
            f"{point.x:g},{point.y:g} {points[i + 1].x:g},{points[i + 1].y:g}"
            for i, point in points.items()
            if i + 1 in points
        ]
        name_y = points[max(points)].y if points else confidence_y(0.5)
        lines.append(SideLine(side, tuple(points.values()), tuple(strokes), name_y))
    width = LEFT + STEP * (len(rows) - 1) + 30 + RIGHT
    phases = tuple(
        (LEFT + 24 + STEP * i, plain_title(phase.replace("_", " "), 16))
        for i, (phase, _) in enumerate(rows)
    )
    return ConfidenceChart(width, TOP + HEIGHT + 44, phases, separate_names(lines))


def chart_point(i: int, both: Sequence[float | None], number: int) -> Point:
    """Return the position of a rating and its label.

    The label is above the higher rating of the two (of equals, the proposition's), and below the
    lower one.
    """
    mine, theirs = both[number] or 0.0, both[1 - number]
    above = theirs is None or mine > theirs or (mine == theirs and number == 0)
    y = confidence_y(mine)
    # There is room above the highest rating and below the lowest.
    label_y = y - 9 if above else y + 18
    return Point(LEFT + 24 + STEP * i, y, f"{100 * mine:g}%", label_y)


def confidence_y(confidence: float) -> float:
    """Return the y of a confidence; values outside of [0, 1] are drawn at the edge."""
    return TOP + HEIGHT * (1 - min(max(confidence, 0.0), 1.0))


def separate_names(lines: Sequence[SideLine]) -> tuple[SideLine, ...]:
    """Return the two lines with their names at least one line of text apart."""
    first, second = lines
    # 16 pixels are a line of text.
    overlap = 16 - abs(first.name_y - second.name_y)
    if overlap > 0:
        shift = overlap / 2 if first.name_y > second.name_y else -overlap / 2
        first = SideLine(first.side, first.points, first.strokes, first.name_y + shift)
        second = SideLine(second.side, second.points, second.strokes, second.name_y - shift)
    return first, second


def readings_of(rows: Sequence[Row]) -> list[JudgeReading]:
    """Return the rows of JUDGINGS as readings, in their order."""
    room = room_for_each([size_of(row["reasons"] or "") for row in rows], ROOM_FOR_REASONS)
    texts = [text_of(row["reasons"], room, None) if row["reasons"] else None for row in rows]
    return [JudgeReading(**row | {"reasons": text}) for row, text in zip(rows, texts, strict=True)]


def votes_and_outcomes(
    ask: Ask, debates: Sequence[str]
) -> dict[str, tuple[dict[str, list[JudgeVote]], Outcome | None]]:
    """Return the votes on each debate by judge, and its outcome; None if no reading counts."""
    counting = [
        {"debate": debate, **row}
        for debate in debates
        for row in ask.rows(debate, JUDGINGS)
        if row["counts"]
    ]
    found: dict[str, tuple[dict[str, list[JudgeVote]], Outcome | None]] = {
        debate: ({}, None) for debate in debates
    }
    if not counting:
        return found
    judged = list(dict.fromkeys(row["debate"] for row in counting))
    columns = ("episode", "jury", "judge", "seat_order", "repeat", "winner", "confidence")
    names = ("episodes", "juries", "judges", "orders", "repeats", "winners", "confidences")
    parameters: dict[str, list[object]] = {
        name: [row[column] for row in counting] for name, column in zip(names, columns, strict=True)
    }
    parameters["debate_of"] = [row["debate"] for row in counting]
    parameters["debates"] = list(judged)
    parameters["studies"] = [ask.rows(debate, EPISODE)[0]["study"] for debate in judged]
    votes: dict[str, dict[str, list[JudgeVote]]] = {debate: {} for debate in judged}
    for row in ask(CAST, parameters):
        of_judges = votes[row.pop("debate")]
        of_judges.setdefault(row["judge"], []).append(JudgeVote(**row))
    for row in ask(OUTCOME, parameters):
        found[row["debate"]] = votes[row["debate"]], Outcome(**row)
    return found
