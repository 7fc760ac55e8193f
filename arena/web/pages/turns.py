"""The shared parts of transcript pages: an episode, its visible turns, and whom each turn had read.

Every query names the episode, so a page of one episode costs the same in a store of any size.
Private contents are left out here, before any template sees them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from arena.errors import StudyError
from arena.store.views.record import KNOWN_USD
from arena.text import plain_name
from arena.types import NOT_ASKED
from arena.web.pages.images import images_of
from arena.web.pages.texts import Text, room_for_each, size_of, text_of
from arena.web.site import Ask, Query, Row, Site

# (seat, step) of a turn.
Key = tuple[str, int]
# (round, phase) of a row of a transcript.
RowKey = tuple[int, str]
SIDES = ("proposition", "opposition")
ROOM = 800_000
SECRET = "not shown"

# Two rows are enough to see that a prefix is ambiguous.
EPISODE_BY_PREFIX = "select episode from plays where starts_with(episode, ?) limit 2"
# Queries with `in ($episodes)` are those of `Ask.rows`.
EPISODE = """
    select p.episode as of, p.episode, p.study, p.arm, p.protocol, p.version, p.options,
           p.subject, p.repeat, p.started_at, m.kind as subject_kind, m.text, m.gold, m.choices,
           m.source as subject_source, m.passage,
           coalesce((select bool_or(simulated) from runs r where r.study = p.study), false)
               as simulated,
           (select string_agg(distinct origin, '; ' order by origin) from runs r
            where r.study = p.study and origin <> 'played') as origin
    from plays p left join subjects m using (subject) where p.episode in ($episodes)
"""
STATUS = """
    select episode as of, status, error_kind, error from statuses where episode in ($episodes)
    qualify row_number() over (partition by episode order by ended_at desc) = 1
"""
SEATS = "select episode as of, seat, agent, model from seats where episode in ($episodes)"
NEIGHBOURS = """
    select me.episode as of, max(p.episode) filter (p.episode < me.episode) as before,
           min(p.episode) filter (p.episode > me.episode) as after
    from plays me join plays p on p.study = me.study and p.protocol = me.protocol
    where me.episode in ($episodes) group by me.episode
"""
TURNS = """
    select episode as of, seat, step, coalesce(phase, '') as phase, coalesce(round, 0) as round,
           coalesce(asks, 1) as asks, confidence,
           coalesce(confidence_status, 'not asked') as confidence_status,
           coalesce(rating_public, false) as rating_public, answer, coalesce(flags, []) as flags,
           started_at, prompt is null as unknown_prompt, thoughts is not null as has_thoughts
    from latest_turns where episode in ($episodes)
"""
WORDS = """
    select episode as of, seat, step, public, thoughts from latest_turns
    where episode in ($episodes)
"""
WORDS_OF_LANES = f"from ({WORDS}) where list_contains($lanes, seat)"
# Other turns: not the reader's system prompt, nor its own reply before a re-ask.
READS = """
    select distinct episode as of, * from saw
    where episode in ($episodes) and seen_step is not null
        and not (seen_episode = episode and seen_seat = seat and seen_step = step)
        -- Of a prefill of its own words a seat did not read them: it continued them.
        and (face <> 'verbatim' or (seat, step) in (
            select (seat, step) from turns where roles is not null and episode in ($episodes)))
"""
CALLS = f"""
    select episode as of, count(*) as calls, sum(tokens_in)::bigint as tokens_in,
           sum(tokens_out)::bigint as tokens_out, {KNOWN_USD},
           count(*) filter (cost_usd is null) as unknown_cost
    from call_ends where episode in ($episodes) group by episode
"""
NO_CALLS: Row = {
    "calls": 0,
    "tokens_in": None,
    "tokens_out": None,
    "cost_usd": None,
    "unknown_cost": 0,
}
# Attempts that started and have no end: the process died, or they are in flight.
FAILED_CALLS = """
    with ends as (from call_ends where episode = $episode)
    select seat, step, ask, attempt, status, error_kind, error
    from ends where status in ('failed', 'cancelled')
    union all
    select seat, step, ask, attempt, 'unknown', null, null
    from call_starts anti join ends using (seat, step, ask, run, attempt)
    where episode = $episode
    order by seat, step, ask, attempt limit 50
"""


@dataclass(frozen=True, slots=True)
class EpisodeSeat:
    """A seat of an episode: the agent in it, and its model."""

    seat: str
    agent: str
    model: str | None


@dataclass(frozen=True, slots=True)
class EpisodeRecord:
    """An episode with its subject, its seats by name, and its latest status."""

    episode: str
    study: str
    arm: str
    protocol: str
    version: str | None
    options: str | None
    subject: str | None
    repeat: int | None
    started_at: datetime | None
    subject_kind: str | None
    text: str | None
    gold: str | None
    choices: list[str] | None
    subject_source: str | None
    passage: str | None
    simulated: bool
    origin: str | None
    seats: Mapping[str, EpisodeSeat]
    status: str = "open"
    error_kind: str | None = None
    error: str | None = None

    @property
    def kind(self) -> str:
        """Return "debate" if both sides sit in it, "judging" of a stored debate, or "question"."""
        if all(side in self.seats for side in SIDES):
            return "debate"
        judging = self.subject_kind == "debate" or self.protocol == "judging"
        return "judging" if judging else "question"


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A turn without its words; `confidence` is as stored, possibly private."""

    seat: str
    step: int
    phase: str
    round: int
    asks: int
    confidence: float | None
    confidence_status: str
    rating_public: bool
    answer: str | None
    flags: list[str]
    started_at: datetime | None
    unknown_prompt: bool
    has_thoughts: bool

    @property
    def has_secrets(self) -> bool:
        """Return whether the turn has a private face: thoughts, or a rating asked in private."""
        rated = self.confidence_status != NOT_ASKED
        return self.has_thoughts or (rated and not self.rating_public)


@dataclass(frozen=True, slots=True)
class EpisodeContext:
    """The parts of a transcript page beside its turns.

    `spent` has calls, tokens_in, tokens_out, cost_usd and unknown_cost; `neighbours` the ids before
    and after; `broken` the calls without a reply, of an episode that is not done; `private` whether
    private faces are shown; `images` the addresses of the images of its subject.
    """

    episode: EpisodeRecord
    options: Mapping[str, str]
    spent: Row
    neighbours: Row
    broken: Sequence[Row]
    private: bool
    images: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ReadTurn:
    """A turn in another turn's prompt, with the face that was shown.

    `similarity` compares the summaries of both; None if they were not compared.
    """

    seat: str
    step: int
    phase: str
    round: int
    face: str
    href: str
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class VisibleTurn:
    """A turn as it may be shown.

    `speech` is None if no speech is readable.  `private`: whether the private face is included; if
    not, thoughts are None and so is the confidence (in [0, 1]) unless it was public.  `words`
    counts the words of the whole speech.
    """

    anchor: str
    seat: str
    step: int
    phase: str
    round: int
    speech: Text | None
    words: int
    private: bool
    thoughts: Text | None
    confidence: float | None
    confidence_status: str
    rating_public: bool
    answer: str | None
    flags: tuple[str, ...]
    asks: int
    call: str
    unknown_reads: bool = False


@dataclass(frozen=True, slots=True)
class Transcript:
    """The turns of an episode as a table: lanes are seats, rows are (round, phase)."""

    lanes: tuple[str, ...]
    rows: tuple[RowKey, ...]
    cells: Mapping[tuple[RowKey, str], tuple[VisibleTurn, ...]] = field(default_factory=dict)


def find_episode(ask: Ask, name: str) -> EpisodeRecord:
    """Return the episode with this id, or the only one whose id begins with it.

    Raises StudyError if no episode, or more than one, begins with `name`.
    """
    found = ask.rows(name, EPISODE)
    if not found:
        ids = [row["episode"] for row in ask(EPISODE_BY_PREFIX, [name])] if name else []
        found = ask.rows(ids[0], EPISODE) if len(ids) == 1 else []
    if not found:
        how_many = "several episodes begin" if ids else "no episode begins"
        raise StudyError(
            f"{how_many} with {name[:80]!r}; the pages of the studies list all episodes,"
            " and so does: arena sql 'from episodes'"
        )
    [episode] = found
    status = ask.rows(episode["episode"], STATUS) or [{}]
    seats = sorted(ask.rows(episode["episode"], SEATS), key=lambda row: natural_key(row["seat"]))
    by_name = {row["seat"]: EpisodeSeat(**row) for row in seats}
    return EpisodeRecord(**episode, seats=by_name, **status[0])


def shows_private(site: Site, query: Query) -> bool:
    """Return whether the site may show private faces and the reader has not hidden them."""
    return site.private and query.get("private") != "0"


def episode_context(site: Site, ask: Ask, episode: EpisodeRecord, query: Query) -> EpisodeContext:
    """Read the parts of a transcript page beside its turns."""
    name = episode.episode
    return EpisodeContext(
        episode,
        short_values(episode.options),
        spent=next(iter(ask.rows(name, CALLS)), NO_CALLS),
        neighbours=ask.rows(name, NEIGHBOURS)[0],
        broken=ask(FAILED_CALLS, {"episode": name}) if episode.status != "done" else [],
        private=shows_private(site, query),
        images=images_of(site, ask, name),
    )


def short_values(stored: str | None) -> dict[str, str]:
    """Return options or settings that are stored as JSON, as names and short values."""
    settings = json.loads(stored or "{}")
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in settings.items()
    }


def natural_key(name: str) -> tuple[tuple[str, int], ...]:
    """Return a sort key by which path2 comes before path10."""
    return tuple(
        (word, int(number or -1)) for word, number in re.findall(r"(\D+|^)(\d{0,9})", name)
    )


def turns_in_order(ask: Ask, episode: str) -> list[StoredTurn]:
    """Return the turns of an episode in the order of play, without their words.

    The order is by time; by round and step if a time is unknown.
    """
    turns = [StoredTurn(**row) for row in ask.rows(episode, TURNS)]
    timed = all(turn.started_at is not None for turn in turns)

    def order(turn: StoredTurn) -> tuple[datetime, int, int, tuple[tuple[str, int], ...]]:
        time = turn.started_at if timed and turn.started_at else datetime.min
        return time, turn.round, turn.step, natural_key(turn.seat)

    return sorted(turns, key=order)


def lanes_of(turns: Sequence[StoredTurn]) -> tuple[str, ...]:
    """Return the seats that spoke, by the row in which they began, then in natural order."""
    rows = list(dict.fromkeys((turn.round, turn.phase) for turn in turns))
    first: dict[str, int] = {}
    for turn in turns:
        first.setdefault(turn.seat, rows.index((turn.round, turn.phase)))
    return tuple(sorted(first, key=lambda seat: (first[seat], natural_key(seat))))


def transcript_of(
    site: Site,
    ask: Ask,
    episode: str,
    turns: Sequence[StoredTurn],
    lanes: tuple[str, ...],
    query: Query,
    visible: int | None,
) -> Transcript:
    """Return the turns of these lanes with their words.

    A text longer than `visible` is folded after that many characters (None: never).  A row without
    a turn of these lanes stays, so that all pages of lanes have the same rows.
    """
    private = shows_private(site, query)
    faces = ("public", "thoughts") if private else ("public",)
    if {turn.seat for turn in turns} <= set(lanes):
        stored = ask.rows(episode, WORDS)
    else:
        stored = ask(WORDS_OF_LANES, {"episodes": episode, "lanes": list(lanes)})
    words = {(row["seat"], row["step"]): row for row in stored}
    texts = [row[face] for row in words.values() for face in faces if row[face]]
    room = room_for_each([size_of(text) for text in texts], ROOM)
    cells: dict[tuple[RowKey, str], tuple[VisibleTurn, ...]] = {}
    for turn in turns:
        if turn.seat in lanes:
            call = site.link("call", episode, {"seat": turn.seat, "step": turn.step})
            row = words[turn.seat, turn.step]
            place = (turn.round, turn.phase), turn.seat
            shown = visible_turn(turn, row, private, (room, visible), call)
            cells[place] = (*cells.get(place, ()), shown)
    rows = dict.fromkeys((turn.round, turn.phase) for turn in turns)
    return Transcript(lanes, tuple(rows), cells)


def visible_turn(
    turn: StoredTurn, words: Row, private: bool, room: tuple[int, int | None], call: str
) -> VisibleTurn:
    """Return one turn as it may be shown; `room` is (room, visible) as in `text_of`."""
    rated = private or turn.rating_public
    known = rated and turn.confidence is not None and math.isfinite(turn.confidence)
    return VisibleTurn(
        anchor=anchor(turn.seat, turn.step),
        seat=turn.seat,
        step=turn.step,
        phase=turn.phase,
        round=turn.round,
        speech=None if words["public"] is None else text_of(words["public"], *room),
        words=len((words["public"] or "").split()),
        private=private,
        thoughts=text_of(words["thoughts"], *room) if private and words["thoughts"] else None,
        confidence=turn.confidence if known else None,
        confidence_status=turn.confidence_status if rated else SECRET,
        rating_public=turn.rating_public,
        answer=turn.answer,
        # A flag may reveal private contents, such as a rating of zero.
        flags=tuple(turn.flags) if private else (),
        asks=turn.asks,
        call=call,
        unknown_reads=turn.unknown_prompt,
    )


def reads_of(
    site: Site, ask: Ask, episode: str, turns: Sequence[StoredTurn]
) -> dict[Key, list[ReadTurn]]:
    """Return the turns that each turn had read, without its own words that it continued."""
    stored = {(episode, turn.seat, turn.step): turn for turn in turns}
    rows = ask.rows(episode, READS)
    # A judge reads turns of the debate, which is another episode.
    for other in {row["seen_episode"] for row in rows} - {episode}:
        stored |= {(other, turn.seat, turn.step): turn for turn in turns_in_order(ask, other)}
    reads: dict[Key, list[ReadTurn]] = {}
    for row in rows:
        seat, step = row["seen_seat"], row["seen_step"]
        seen = stored.get((row["seen_episode"], seat, step))
        href = "#" + anchor(seat, step)
        if row["seen_episode"] != episode:
            href = site.link("debate" if seat in SIDES else "question", row["seen_episode"]) + href
        phase, round_number = (seen.phase, seen.round) if seen else ("", 0)
        reads.setdefault((row["seat"], row["step"]), []).append(
            ReadTurn(seat, step, phase, round_number, row["face"], href)
        )
    for listed in reads.values():
        listed.sort(key=reading_order)
    return reads


def reading_order(read: ReadTurn) -> tuple[int, int, tuple[tuple[str, int], ...], int]:
    """Return a sort key: by round, the proposition before the opposition, then by seat and step."""
    side = SIDES.index(read.seat) if read.seat in SIDES else 0
    return read.round, side, natural_key(read.seat), read.step


def anchor(seat: str, step: int) -> str:
    """Return the HTML id of a turn on its page."""
    return f"turn-{plain_name(seat)}-{step}"
