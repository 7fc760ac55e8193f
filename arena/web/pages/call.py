"""One turn with everything about it: what was asked, in the very words, what came back, what was read out of it, and each attempt.

Without private words (`site.private` is false) only what others could read is there: the public text, the protocol's own words and public
faces in the prompt.  Raw replies, reasoning, re-asks, ratings that were private, flags, measures, tokens, words of errors and the request's
hash (from which a rating could be found by trying) are left out of the page, not hidden in it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from arena.errors import StudyError
from arena.play.prompt import NO_SPEECH
from arena.types import Message
from arena.web.prompts import Piece, RebuiltRequest, rebuild_request
from arena.web.site import Ask, Document, Page, Query, Row, Site

LONGEST, LONGEST_PUBLISHED = 20_000, 5_000_000
MOST_TOKENS = 2_000
LEAST_LIKELY = 10
SHORTEST_SECRET = 16
SHADES = ((0.9, 5), (0.5, 4), (0.1, 3), (0.01, 2))
TEXTS = (
    "text",
    "reasoning",
    "reask_prompt",
    "reask_text",
    "public",
    "thoughts",
    "answer",
    "prompt",
)
PLAY = """
    select p.*, s.text as subject_text, s.kind as subject_kind, s.source as subject_source,
           (select bool_or(simulated) from runs r where r.study = p.study) as simulated,
           exists (from seats where seats.episode = p.episode and seat = 'proposition') as debate
    from plays p left join subjects s using (subject) where p.episode = ?
"""
ATTEMPTS = """
    with ends as (from call_ends where episode = $1 and seat = $2 and step = $3)
    from (select * from ends union all by name
          select *, 'unknown' as status from call_starts anti join ends using (ask, run, attempt)
          where episode = $1 and seat = $2 and step = $3)
    order by ask, started_at, attempt
"""
STEPS = """
    select distinct step from (
        select step from turns where episode = $1 and seat = $2 union all select step from unfinished_turns where episode = $1 and seat = $2
        union all select step from call_starts where episode = $1 and seat = $2) order by step
"""
PRIVATE_WORDS = "select thoughts, case when text is distinct from public then text end as text, reasoning from turns where episode = ?"


@dataclass(frozen=True, slots=True)
class Token:
    """A generated token: its probability, the class of that from 1 (under 1%) to 5 (90% or more), and what could have stood in its place."""

    text: str
    probability: float
    shade: int
    others: str


def call(site: Site, name: str, query: Query) -> Page:
    """The turn of the episode `name` that `seat` and `step` name.  Raises StudyError where there is none."""
    seat, step = seat_and_step(query)
    with site.store(()) as ask:
        turn, play, attempts = find_step(ask, name, seat, step)
        seated = next(iter(ask("from seats where episode = ? and seat = ?", [name, seat])), None)
        measures = ask(
            "select name, value from measures where episode = ? and seat = ? and step = ? order by name",
            [name, seat, step],
        )
        steps = [row["step"] for row in ask(STEPS, [name, seat])]
        request, why_not = (
            request_or_reason(ask, turn, seated, attempts)
            if turn
            else (None, "no reply is stored, so that no prompt is")
        )
        if request and not site.private:
            secrets = [
                words
                for row in ask(PRIVATE_WORDS, [name])
                for words in row.values()
                if is_secret(words)
            ]
            request = without_private(request, secrets)
    tokens = [token_of(choice) for choice in (turn or {}).get("logprobs") or ()][: MOST_TOKENS + 1]
    transcript = (
        ("debate", name)
        if play["debate"]
        else ("debate", play["subject_source"])
        if play["subject_kind"] == "debate"
        else ("question", name)
    )
    content: dict[str, Any] = {
        "turn": turn,
        "play": play,
        "seat": seat,
        "step": step,
        "seated": seated,
        "attempts": attempts,
    }
    content |= {
        "measures": measures,
        "request": request,
        "why_not": why_not,
        "tokens": tokens[:MOST_TOKENS],
        "more_tokens": len(tokens) > MOST_TOKENS,
    }
    content |= {
        "unlikely": sorted(tokens, key=lambda token: token.probability)[:LEAST_LIKELY],
        "transcript": transcript,
        "no_speech": NO_SPEECH,
    }
    content |= {
        "before": max((s for s in steps if s < step), default=None),
        "after": min((s for s in steps if s > step), default=None),
    }
    content |= {
        "sampling": settings(seated["sampling"] if seated else None),
        "longest": LONGEST_PUBLISHED if site.static else LONGEST,
    }
    content |= {"sent": [settings(attempt["sent"]) for attempt in attempts]}
    return Page(
        "call.html",
        f"{seat}, {turn['phase'] if turn else f'step {step}'}",
        content,
        live=bool(turn is None or turn["unfinished"]),
    )


def text(site: Site, name: str, query: Query) -> Document:
    """One text of a turn whole, as plain text: `what` is a column of turns, or `prompt` for all messages of the request.

    Raises StudyError where there is no such turn or text.
    """
    seat, step = seat_and_step(query)
    what = query.get("what", "text")
    if what not in TEXTS:
        raise StudyError(f"what must be one of {', '.join(TEXTS)}; found {what[:80]!r}")
    with site.store(()) as ask:
        turn, _, attempts = find_step(ask, name, seat, step)
        if turn is None:
            raise StudyError(f"step {step} of {seat} has no reply in {site.db.name}")
        if what != "prompt":
            words = turn[what]
        else:
            seated = next(
                iter(ask("from seats where episode = ? and seat = ?", [name, seat])), None
            )
            request, why_not = request_or_reason(ask, turn, seated, attempts)
            words = messages_as_text(request.messages) if request else why_not
    if words is None:
        raise StudyError(f"step {step} of {seat} has no {what}")
    return Document(words.encode("utf-8", "replace"), "text/plain; charset=utf-8")


def seat_and_step(query: Query) -> tuple[str, int]:
    """The seat and step that an address names.  Raises StudyError where it names none."""
    seat, step = query.get("seat", ""), query.get("step", "")
    if not seat or not (step.isascii() and step.isdigit() and len(step) < 10):
        raise StudyError(
            "the address of a call names its seat and its step, such as ?seat=proposition&step=0; follow a link of a transcript"
        )
    return seat, int(step)


def find_step(ask: Ask, episode: str, seat: str, step: int) -> tuple[Row | None, Row, list[Row]]:
    """(turn, play, attempts) of a step; no turn where only calls are there.  Raises StudyError where there is nothing at all."""
    key = [episode, seat, step]
    turns = ask("from turns where episode = ? and seat = ? and step = ?", key)
    unfinished = not turns
    turns = turns or ask("from unfinished_turns where episode = ? and seat = ? and step = ?", key)
    attempts, plays = ask(ATTEMPTS, key), ask(PLAY, [episode])
    if not plays or not (turns or attempts):
        raise StudyError(f"there is no step {step} of {seat!r} in an episode {episode!r}")
    return ({**turns[0], "unfinished": unfinished} if turns else None), plays[0], attempts


def request_or_reason(
    ask: Ask, turn: Row, seated: Row | None, attempts: list[Row]
) -> tuple[RebuiltRequest | None, str]:
    """(what was asked, ""), or (None, why that cannot be shown)."""
    try:
        return rebuild_request(
            ask,
            turn,
            seated,
            list(dict.fromkeys(attempt["sent"] for attempt in attempts if attempt["ask"] == 0)),
        ), ""
    except StudyError as error:
        return None, str(error)


def is_secret(words: str | None) -> bool:
    """Whether private words are long enough to be told from a coincidence."""
    return words is not None and len(words.strip()) >= SHORTEST_SECRET


def without_private(request: RebuiltRequest, secrets: list[str]) -> RebuiltRequest:
    """The request as everybody may see it: pieces that hold private words stand without any."""

    def public(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
        """Pieces in which only public words are left."""
        return tuple(
            one if may_be_seen(one, secrets) else Piece("", one.turn, one.face or "own", one.end)
            for one in pieces
        )

    return RebuiltRequest(
        request.system, public(request.prompt), public(request.prefill), (), request.same_hash
    )


def may_be_seen(piece: Piece, secrets: list[str]) -> bool:
    """Whether everybody may read a piece: public faces, ratings that were public, and the protocol's own words."""
    if piece.turn is None:
        return not any(secret.strip() in piece.text for secret in secrets)
    return piece.face == "public" or (piece.face == "rated" and piece.turn.rating_public)


def token_of(choice: Row) -> Token:
    """A generated token for the page."""
    probability = math.exp(min(choice["logprob"], 0.0))
    shade = next((shade for least, shade in SHADES if probability >= least), 1)
    others = ", ".join(
        f"{one['token']!r} {100 * math.exp(min(one['logprob'], 0.0)):.1f}%"
        for one in choice["alternatives"] or ()
    )
    return Token(choice["token"], probability, shade, others)


def settings(stored: str | None) -> dict[str, str]:
    """Settings that are stored as JSON, as names and short values."""
    given = json.loads(stored or "{}")
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in given.items()
    }


def messages_as_text(messages: tuple[Message, ...]) -> str:
    """All messages of a request in one text."""
    return "\n\n".join(f"=== {message.role} ===\n{message.content}" for message in messages)
