"""What the pages of transcripts share: an episode by its id, its turns as far as they may be shown, and whom each of them had read.

All queries name the episode, so that a page of one episode costs the same in a store of any size.  Texts share the room of a page: where
they are too long together, the longest are cut, and the page says how much is missing and links to the call, where all of it stands.
What is private is left out here, before any template sees it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from arena.errors import StudyError
from arena.types import NOT_ASKED
from arena.web.site import Ask, Query, Row, Site, plain_name
from arena.web.words import is_plain

Key = tuple[str, int]
SIDES = ("proposition", "opposition")
LONGEST_TEXT = 40_000
ROOM = 800_000
SECRET = "not shown"
ESCAPED = "<>&\"'"

EPISODE_BY_PREFIX = "select episode from plays where starts_with(episode, $name) order by episode <> $name, episode limit 2"
EPISODE = """
    select p.*, m.kind as subject_kind, m.text, m.gold, m.choices, m.source as subject_source,
           (select bool_or(simulated) from runs r where r.study = p.study) as simulated
    from plays p left join subjects m using (subject) where p.episode = ?
"""
STATUS = "select status, error_kind, error, ended_at from statuses where episode = ? order by ended_at desc limit 1"
SEATS = "select seat, agent, model from seats where episode = ?"
NEIGHBOURS = """
    select max(episode) filter (episode < $episode) as before, min(episode) filter (episode > $episode) as after
    from plays where study = $study and protocol = $protocol
"""
TURNS = """
    select seat, step, coalesce(phase, '') as phase, coalesce(round, 0) as round, asks, confidence, confidence_status,
           coalesce(rating_public, false) as rating_public,
           answer, coalesce(flags, []) as flags, started_at, prompt is null as unknown_prompt, thoughts is not null as has_thoughts
    from turns where episode = ?
"""
WORDS = (
    "select seat, step, public, thoughts from turns where episode = ? and list_contains(?, seat)"
)
READS = """
    select distinct seat, step, part.episode as seen_episode, part.seat as seen_seat, part.step as seen_step, part.face as face
    from (select seat, step, unnest(prompt) as part from turns where episode = $episode) where part.face is not null
    union
    select distinct seat, step, part.episode, part.seat, part.step, part.face
    from (select seat, step, unnest(prefill) as part from turns where episode = $episode and prefill is not null) where part.face is not null
"""
CALLS = """
    select count(*) as calls, sum(tokens_in)::bigint as tokens_in, sum(tokens_out)::bigint as tokens_out, sum(cost_usd) as cost_usd,
           count(*) filter (cost_usd is null) as unknown_cost from call_ends where episode = ?
"""
FAILED_CALLS = """
    with ends as (from call_ends where episode = $episode)
    select seat, step, ask, attempt, status, error_kind, error from ends where status in ('failed', 'cancelled')
    union all
    select seat, step, ask, attempt, 'unknown', null, null from call_starts anti join ends using (seat, step, ask, run, attempt)
    where episode = $episode order by seat, step, ask, attempt limit 50
"""


@dataclass(frozen=True, slots=True)
class Text:
    """Words for a page: what is seen at once, what is folded away, and how many characters had no room (`more`)."""

    head: str
    rest: str = ""
    more: int = 0


@dataclass(frozen=True, slots=True)
class ReadTurn:
    """A turn that stood in a turn's prompt: whose, where it is, which face, and how alike the summaries were (None: not compared)."""

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

    `speech` is None where no speech is readable.  `private` says whether the private face stands here; where it does not, thoughts are None
    and so is the confidence (in [0, 1]) unless it was public.  `words` counts those of the whole speech.
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
    reads: tuple[ReadTurn, ...] = ()
    unknown_reads: bool = False


@dataclass(frozen=True, slots=True)
class Transcript:
    """The turns of an episode as a table: lanes are seats, rows are (round, phase), a cell holds what a seat said there."""

    lanes: tuple[str, ...]
    rows: tuple[tuple[int, str], ...]
    cells: Mapping[tuple[tuple[int, str], str], tuple[VisibleTurn, ...]] = field(
        default_factory=dict
    )


def find_episode(ask: Ask, name: str) -> Row:
    """The episode of this id, or the only one whose id begins so: its play, subject, latest status, seats, and whether it is simulated.

    Raises StudyError where none or several begin so.
    """
    found = [row["episode"] for row in ask(EPISODE_BY_PREFIX, {"name": name})] if name else []
    if not found or (len(found) > 1 and found[0] != name):
        how_many = "several episodes begin" if found else "no episode begins"
        raise StudyError(
            f"{how_many} with {name[:80]!r}; the pages of the studies list them, and so does: arena sql 'from episodes'"
        )
    episode = ask(EPISODE, found[:1])[0]
    ended = ask(STATUS, found[:1])
    episode |= (
        ended[0]
        if ended
        else {"status": "open", "error_kind": None, "error": None, "ended_at": None}
    )
    seats = sorted(ask(SEATS, found[:1]), key=lambda row: natural_key(row["seat"]))
    return episode | {"seats": {row["seat"]: row for row in seats}}


def episode_kind(episode: Row) -> str:
    """Which page an episode has: debate where both sides sit in it, judging where a stored debate was read, else question."""
    if all(side in episode["seats"] for side in SIDES):
        return "debate"
    return (
        "judging"
        if episode["subject_kind"] == "debate" or episode["protocol"] == "judging"
        else "question"
    )


def shows_private(site: Site, query: Query) -> bool:
    """Whether thoughts and private ratings stand on the page: where the site may show them, and the reader has not left them out."""
    return site.private and query.get("private") != "0"


def has_secrets(turn: Row) -> bool:
    """Whether a turn has a private face: thoughts, or a rating that was asked for in private."""
    return turn["has_thoughts"] or (
        turn["confidence_status"] not in (None, NOT_ASKED) and not turn["rating_public"]
    )


def common_content(site: Site, ask: Ask, episode: Row, query: Query) -> dict[str, Any]:
    """What every page of a transcript has beside its turns: options, cost, neighbours, calls that went wrong, and the switch."""
    name = {"episode": episode["episode"]}
    return {
        "episode": episode,
        "options": options_of(episode["options"]),
        "spent": ask(CALLS, list(name.values()))[0],
        "neighbours": ask(
            NEIGHBOURS, name | {"study": episode["study"], "protocol": episode["protocol"]}
        )[0],
        "broken": ask(FAILED_CALLS, name) if episode["status"] != "done" else [],
        "private": shows_private(site, query),
    }


def options_of(stored: str | None) -> dict[str, str]:
    """The protocol's options as names and short values."""
    given = json.loads(stored or "{}")
    return {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in given.items()
    }


def natural_key(name: str) -> tuple[tuple[str, int], ...]:
    """The order in which people count: path2 before path10."""
    return tuple(
        (word, int(number or -1)) for word, number in re.findall(r"(\D+|^)(\d{0,9})", name)
    )


def turns_in_order(ask: Ask, episode: str) -> list[Row]:
    """All turns of an episode without their words, in the order of play: by the clock, or where that is unknown by round and step."""
    turns = ask(TURNS, [episode])
    timed = all(turn["started_at"] is not None for turn in turns)
    return sorted(
        turns,
        key=lambda turn: (
            turn["started_at"] if timed else 0,
            turn["round"],
            turn["step"],
            natural_key(turn["seat"]),
        ),
    )


def lanes_of(turns: Sequence[Row]) -> tuple[str, ...]:
    """The seats that spoke: who began in an earlier row first, then as people count."""
    rows = list(dict.fromkeys((turn["round"], turn["phase"]) for turn in turns))
    first: dict[str, int] = {}
    for turn in turns:
        first.setdefault(turn["seat"], rows.index((turn["round"], turn["phase"])))
    return tuple(sorted(first, key=lambda seat: (first[seat], natural_key(seat))))


def transcript_of(
    site: Site,
    ask: Ask,
    episode: Row,
    turns: Sequence[Row],
    lanes: tuple[str, ...],
    query: Query,
    visible: int | None,
) -> Transcript:
    """The turns of these lanes, words included; of texts longer than `visible` the beginning is seen at once (None: all of it).

    A row in which nobody of these lanes spoke stays, so that pages of lanes have the same rows.  `reads` are left to `with_reads`.
    """
    name, private = episode["episode"], shows_private(site, query)
    words = {(row["seat"], row["step"]): row for row in ask(WORDS, [name, list(lanes)])}
    texts = [
        row[face]
        for row in words.values()
        for face in (("public", "thoughts") if private else ("public",))
        if row[face]
    ]
    room = room_for_each([size_of(text) for text in texts], ROOM)
    cells: dict[tuple[tuple[int, str], str], tuple[VisibleTurn, ...]] = {}
    for turn in turns:
        if turn["seat"] in lanes:
            call = site.link("call", name, {"seat": turn["seat"], "step": turn["step"]})
            said = visible_turn(
                turn, words[turn["seat"], turn["step"]], private, (room, visible), call
            )
            place = (turn["round"], turn["phase"]), turn["seat"]
            cells[place] = (*cells.get(place, ()), said)
    return Transcript(
        lanes, tuple(dict.fromkeys((turn["round"], turn["phase"]) for turn in turns)), cells
    )


def visible_turn(
    turn: Row, words: Row, private: bool, room: tuple[int, int | None], call: str
) -> VisibleTurn:
    """One turn as it may be shown; `room` is that of a text, and how much of it is seen at once."""
    rating = private or turn["rating_public"]
    confidence = (
        turn["confidence"]
        if rating and turn["confidence"] is not None and math.isfinite(turn["confidence"])
        else None
    )
    return VisibleTurn(
        anchor=anchor(turn["seat"], turn["step"]),
        seat=turn["seat"],
        step=turn["step"],
        phase=turn["phase"],
        round=turn["round"],
        speech=None if words["public"] is None else text_of(words["public"], *room),
        words=len((words["public"] or "").split()),
        private=private,
        thoughts=text_of(words["thoughts"], *room) if private and words["thoughts"] else None,
        confidence=confidence,
        confidence_status=(turn["confidence_status"] or NOT_ASKED) if rating else SECRET,
        rating_public=turn["rating_public"],
        answer=turn["answer"],
        # Doubts may tell what was private, such as a rating of zero.
        flags=tuple(turn["flags"]) if private else (),
        asks=turn["asks"] or 1,
        call=call,
        unknown_reads=turn["unknown_prompt"],
    )


def reads_of(site: Site, ask: Ask, episode: str, turns: Sequence[Row]) -> dict[Key, list[ReadTurn]]:
    """Whom each turn had read, by (seat, step); its own words that it went on from are left out."""
    known = {(episode, turn["seat"], turn["step"]): turn for turn in turns}
    rows = ask(READS, {"episode": episode})
    for other in {row["seen_episode"] for row in rows} - {episode}:
        known |= {(other, turn["seat"], turn["step"]): turn for turn in ask(TURNS, [other])}
    found: dict[Key, list[ReadTurn]] = {}
    for row in rows:
        seen = known.get(
            (row["seen_episode"], row["seen_seat"], row["seen_step"]), {"phase": "", "round": 0}
        )
        if row["face"] != "verbatim":
            href = "#" + anchor(row["seen_seat"], row["seen_step"])
            if row["seen_episode"] != episode:
                href = (
                    site.link(
                        "debate" if row["seen_seat"] in SIDES else "question", row["seen_episode"]
                    )
                    + href
                )
            read = ReadTurn(
                row["seen_seat"], row["seen_step"], seen["phase"], seen["round"], row["face"], href
            )
            found.setdefault((row["seat"], row["step"]), []).append(read)
    for reads in found.values():
        reads.sort(
            key=lambda read: (
                read.round,
                read.seat in SIDES and SIDES.index(read.seat),
                natural_key(read.seat),
                read.step,
            )
        )
    return found


def anchor(seat: str, step: int) -> str:
    """The id of a turn on its page."""
    return f"turn-{plain_name(seat)}-{step}"


def text_of(words: str, room: int, visible: int | None) -> Text:
    """A text cut to its room, and folded after `visible` characters, at a space where there is one nearby."""
    words = words.rstrip()
    end = chars_that_fit(words, room)
    seen = end
    if visible is not None and end > visible + visible // 4:
        seen = (
            max(words.rfind(" ", visible // 2, visible), words.rfind("\n", visible // 2, visible))
            + 1
            or visible
        )
    return Text(words[:seen], words[seen:end], len(words) - end)


def size_of(words: str) -> int:
    """How many bytes of HTML a text takes, up to those of the longest that is shown whole."""
    beginning = words[:LONGEST_TEXT]
    if beginning.replace("\n", "").replace("\t", "").isprintable():
        return len(beginning.encode("utf-8", "replace")) + 4 * sum(map(beginning.count, ESCAPED))
    return sum(map(html_bytes, beginning))


def chars_that_fit(words: str, room: int) -> int:
    """How many characters of a text fit into so many bytes of HTML."""
    if len(words) <= LONGEST_TEXT and size_of(words) <= room:
        return len(words)
    used = 0
    for end, c in enumerate(words[:room]):
        used += html_bytes(c)
        if used > room:
            return end
    return min(len(words), room)


def html_bytes(c: str) -> int:
    """The bytes that a character takes in HTML: an escaped one some more, one that is shown as its code point many."""
    if is_plain(c):
        return 5 if c in ESCAPED else 1 if c < "\x80" else 4
    return 70


def room_for_each(sizes: Sequence[int], total: int) -> int:
    """The most that one text may take so that all take no more than `total`: short ones leave what they do not need to long ones."""
    left = total
    for number, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - number)
        if size > share:
            return min(share, LONGEST_TEXT)
        left -= size
    return LONGEST_TEXT
