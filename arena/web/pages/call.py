"""One turn in full: its prompt, the raw reply, what was parsed from it, and each attempt.

Without private contents (`site.private` is false) the page has only what others could read: the
public text, and the protocol's own words and public faces in the prompt.  Raw replies, reasoning,
re-asks, private ratings, flags, measures, tokens, error messages and the request's hash (from which
a rating could be guessed) are left out of the page, not hidden in it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest

from arena.errors import StudyError
from arena.images import Image
from arena.play.prompt import render
from arena.types import Message
from arena.web.pages.turns import short_values
from arena.web.prompts import Piece, RebuiltRequest, rebuild_request
from arena.web.site import Ask, Document, Page, PageContent, Query, Row, Site

# Characters of a text on the page of a server, which links to the whole, and in a file.
LONGEST = 20_000
LONGEST_PUBLISHED = 5_000_000
MOST_TOKENS = 2_000
LEAST_LIKELY = 10
# The protocol whose prompts hold private thoughts of another play.
LABELLING = "private_reasoning"
# The phase in which a model is given again what it was sent and said (protocols/estimators).
READING_AGAIN = "read"
# Shorter private texts, such as "I agree", also occur in public ones.
SHORTEST_SECRET = 16
# (least probability, shade): 5 is the most probable.
SHADES = ((0.9, 5), (0.5, 4), (0.1, 3), (0.01, 2))
COLUMNS = ("text", "reasoning", "reask_prompt", "reask_text", "public", "thoughts", "answer")
PLAY = """
    select p.*, s.text as subject_text, s.kind as subject_kind, s.source as subject_source,
           (select bool_or(simulated) from runs r where r.study = p.study) as simulated,
           (select string_agg(distinct origin, '; ' order by origin) from runs r
            where r.study = p.study and origin <> 'played') as origin,
           exists (from seats where seats.episode = p.episode and seat = 'proposition') as debate
    from plays p left join subjects s using (subject) where p.episode = ?
"""
# The view `calls` for one step: both sides of the join are filtered first.
ATTEMPTS = """
    with ends as (from call_ends where episode = $1 and seat = $2 and step = $3)
    from (select * from ends union all by name
          select *, 'unknown' as status from call_starts anti join ends using (ask, run, attempt)
          where episode = $1 and seat = $2 and step = $3)
    order by ask, started_at, attempt
"""
STEPS = """
    select distinct step from (
        select step from turns where episode = $1 and seat = $2
        union all select step from unfinished_turns where episode = $1 and seat = $2
        union all select step from call_starts where episode = $1 and seat = $2)
    order by step
"""
SEAT = "from seats where episode = ? and seat = ?"
MEASURES = """
    select name, value from measures where episode = ? and seat = ? and step = ? order by name
"""
# Also those of the play on which an aside hangs, and of plays that were scored: their words may
# stand as text in a prompt.
PRIVATE_WORDS = """
    with shown as (select unnest($1::varchar[]) as episode),
    told as (from turns semi join shown using (episode))
    select thoughts, case when text is distinct from public then text end as text, reasoning,
           reask_prompt, reask_text
    from told
    union all select distinct thoughts, null, null, null, null
    from readings semi join shown using (episode)
"""
# Private ratings in the words of `arena.play.prompt.render`.
PRIVATE_RATINGS = """
    select distinct confidence from turns
    where list_contains($1::varchar[], episode) and not coalesce(rating_public, false)
"""
SCORED = "select distinct episode from scores where scoring = ?"
# A scorer may read again all that its own model has said.
SAID_BY = "select episode, seat from seats where model = ? and list_contains(?::varchar[], episode)"


@dataclass(frozen=True, slots=True)
class Token:
    """A generated token with its probability and the likeliest alternatives in words.

    `shade` is a class of probability from 1 (under 1%) to 5 (90% or more).
    """

    text: str
    probability: float
    shade: int
    others: str


@dataclass(frozen=True, slots=True)
class CallContent(PageContent):
    """The contents of a call's page.

    `turn` is None if only attempts are stored; `why_not` says why `request` is None; `transcript`
    is the (kind, name) of the page of the episode, or of the debate that was judged; `before` and
    `after` are the seat's neighbouring steps; `sent` are the settings of each attempt.
    """

    turn: Row | None
    play: Row
    seat: str
    step: int
    seated: Row | None
    attempts: Sequence[Row]
    measures: Sequence[Row]
    request: RebuiltRequest | None
    why_not: str
    tokens: Sequence[Token]
    more_tokens: bool
    unlikely: Sequence[Token]
    transcript: tuple[str, str]
    before: int | None
    after: int | None
    sampling: Mapping[str, str]
    longest: int
    sent: Sequence[Mapping[str, str]]


def call(site: Site, name: str, query: Query) -> Page:
    """Return the page of the turn at `seat` and `step` of the episode `name`.

    Raises StudyError if there is none.
    """
    seat, step = seat_and_step(query)
    with site.store(()) as ask:
        turn, play, attempts = find_step(ask, name, seat, step)
        seated = next(iter(ask(SEAT, [name, seat])), None)
        measures = ask(MEASURES, [name, seat, step])
        steps = [row["step"] for row in ask(STEPS, [name, seat])]
        request: RebuiltRequest | None = None
        why_not = "not known: no reply is stored, and the prompt is stored with the reply"
        if turn:
            request, why_not = request_or_reason(ask, turn, seated, attempts, play)
        if request and not site.private and play["protocol"] == LABELLING:
            request, why_not = None, "not shown: it holds private thoughts of the debate"
        if turn and not site.private and is_scoring(play) and turn["phase"] == READING_AGAIN:
            request, why_not = None, "not shown: a stored request and its raw reply, read again"
        if request and turn and not site.private:
            request = without_private(request, secrets_of(ask, turn, play))
    # One more than is shown tells whether some are left out.
    tokens = [token_of(choice) for choice in (turn or {}).get("logprobs") or ()][: MOST_TOKENS + 1]
    kind = "debate" if play["debate"] else "question"
    judged = not play["debate"] and play["subject_kind"] == "debate"
    content = CallContent(
        turn=turn,
        play=play,
        seat=seat,
        step=step,
        seated=seated,
        attempts=attempts,
        measures=measures,
        request=request,
        why_not=why_not,
        tokens=tokens[:MOST_TOKENS],
        more_tokens=len(tokens) > MOST_TOKENS,
        unlikely=nsmallest(
            LEAST_LIKELY,
            (token for token in tokens if not math.isnan(token.probability)),
            key=lambda token: token.probability,
        ),
        # A labelling is of one turn, EPISODE/SEAT/STEP.
        transcript=("debate", (play["subject_source"] or "").split("/")[0])
        if judged
        else (kind, name),
        before=max((other for other in steps if other < step), default=None),
        after=min((other for other in steps if other > step), default=None),
        sampling=short_values(seated["sampling"] if seated else None),
        longest=LONGEST_PUBLISHED if site.static else LONGEST,
        sent=[short_values(attempt["sent"]) for attempt in attempts],
    )
    title = f"{seat}, {turn['phase'] if turn else f'step {step}'}"
    return Page("call.html", title, content, live=bool(turn is None or turn["unfinished"]))


def text(site: Site, name: str, query: Query) -> Document:
    """Return one whole text of a turn as plain text.

    `what` in the query is a column of turns, or `prompt` for all messages of the request.  Raises
    StudyError if there is no such turn or text.
    """
    seat, step = seat_and_step(query)
    column = query.get("what", "text")
    if column not in (*COLUMNS, "prompt"):
        raise StudyError(f"what must be one of {', '.join(COLUMNS)}, prompt; found {column[:80]!r}")
    with site.store(()) as ask:
        turn, play, attempts = find_step(ask, name, seat, step)
        if turn is None:
            raise StudyError(f"step {step} of {seat} has no reply in {site.db.name}")
        words: str | None = None
        if column != "prompt":
            words = turn[column]
        else:
            seated = next(iter(ask(SEAT, [name, seat])), None)
            request, why_not = request_or_reason(ask, turn, seated, attempts, play)
            words = messages_as_text(request.messages) if request else why_not
    if words is None:
        raise StudyError(f"step {step} of {seat} has no {column}")
    return Document(words.encode("utf-8", "replace"), "text/plain; charset=utf-8")


def seat_and_step(query: Query) -> tuple[str, int]:
    """Return the seat and step in a query.  Raises StudyError if one is missing."""
    seat, step = query.get("seat", ""), query.get("step", "")
    if not seat or not (step.isascii() and step.isdigit() and len(step) < 10):
        raise StudyError(
            "the address of a call names its seat and its step, such as ?seat=proposition&step=0;"
            " follow a link of a transcript"
        )
    return seat, int(step)


def find_step(ask: Ask, episode: str, seat: str, step: int) -> tuple[Row | None, Row, list[Row]]:
    """Return (turn, play, attempts) of a step; the turn is None if only attempts are stored.

    Raises StudyError if nothing is stored.
    """
    key = [episode, seat, step]
    turns = ask("from turns where episode = ? and seat = ? and step = ?", key)
    unfinished = not turns
    # A first reply with something unreadable waits there for the second.
    turns = turns or ask("from unfinished_turns where episode = ? and seat = ? and step = ?", key)
    attempts = ask(ATTEMPTS, key)
    plays = ask(PLAY, [episode])
    if not plays or not (turns or attempts):
        raise StudyError(f"there is no step {step} of {seat!r} in an episode {episode!r}")
    return ({**turns[0], "unfinished": unfinished} if turns else None), plays[0], attempts


def request_or_reason(
    ask: Ask, turn: Row, seated: Row | None, attempts: Sequence[Row], play: Row
) -> tuple[RebuiltRequest | None, str]:
    """Return (the request, ""), or (None, the reason why it cannot be shown)."""
    # An aside goes on as the seat it asks, and a seat of a fork as that of its name.
    also = {(play["parent"], play["parent_seat"]), (play["parent"], turn["seat"])}
    if is_scoring(play) and seated:
        said = ask(SAID_BY, [seated["model"], sorted(shown_episodes(turn))])
        also |= {(row["episode"], row["seat"]) for row in said}
    # A re-ask is another request: its settings do not belong to this prompt.
    first_asks = [attempt["sent"] for attempt in attempts if attempt["ask"] == 0]
    try:
        return rebuild_request(ask, turn, seated, list(dict.fromkeys(first_asks)), also), ""
    except StudyError as error:
        return None, str(error)


def is_scoring(play: Row) -> bool:
    """Return whether stored replies are scored in a play."""
    return play["subject_kind"] == "replies" and play["parent"] is None


def shown_episodes(turn: Row) -> set[str]:
    """Return the episodes whose turns the request of a turn shows."""
    parts = (*(turn["prompt"] or ()), *(turn["prefill"] or ()))
    return {part["episode"] for part in parts if part["episode"] is not None}


def secrets_of(ask: Ask, turn: Row, play: Row) -> frozenset[str]:
    """Return the private words of all plays whose words a request may hold."""
    episodes = {turn["episode"], *shown_episodes(turn)}
    if play["parent"] is not None:
        episodes.add(play["parent"])
    if is_scoring(play):
        episodes |= {row["episode"] for row in ask(SCORED, [turn["episode"]])}
    words = [text for row in ask(PRIVATE_WORDS, [sorted(episodes)]) for text in row.values()]
    for row in ask(PRIVATE_RATINGS, [sorted(episodes)]):
        words += render("notes", None, None, row["confidence"]).splitlines()
    return frozenset(text.strip() for text in words if text) - {""}


def without_private(request: RebuiltRequest, secrets: Collection[str]) -> RebuiltRequest:
    """Return the request with the text of every piece that holds private words removed."""

    def public(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
        return tuple(
            piece
            if may_be_seen(piece, secrets)
            else replace(piece, text="", face=piece.face or "own")
            for piece in pieces
        )

    prompt = tuple((role, public(pieces)) for role, pieces in request.prompt)
    return replace(request, prompt=prompt, prefill=public(request.prefill), messages=())


def may_be_seen(piece: Piece, secrets: Collection[str]) -> bool:
    """Return whether everybody may read a piece.

    Public and checked faces, rated faces of public ratings, the passage and the protocol's own
    words are public, unless the latter are a secret, or quote one that is too long to stand there
    by coincidence.
    """
    if piece.turn is None:
        return piece.text.strip() not in secrets and not any(
            secret in piece.text for secret in secrets if len(secret) >= SHORTEST_SECRET
        )
    shows_rating = piece.face == "rated" and piece.turn.rating_public
    return piece.face in ("public", "checked") or shows_rating


def token_of(choice: Row) -> Token:
    """Return a generated token for the page."""
    probability = probability_of(choice["logprob"])
    shade = next((shade for least, shade in SHADES if probability >= least), 1)
    others = ", ".join(
        f"{other['token']!r} {100 * probability_of(other['logprob']):.1f}%"
        for other in choice["alternatives"] or ()
    )
    return Token(choice["token"], probability, shade, others)


def probability_of(logprob: float | None) -> float:
    """Return the probability of a stored log probability; nan for one that was no finite number."""
    # Rounding may make a log probability slightly positive.
    return math.nan if logprob is None else math.exp(min(logprob, 0.0))


def messages_as_text(messages: Sequence[Message]) -> str:
    """Return all messages of a request in one text."""
    return "\n\n".join(
        f"=== {message.role} ===\n{message_as_text(message)}" for message in messages
    )


def message_as_text(message: Message) -> str:
    """Return a message with the types and hashes of its images in their places."""
    return "".join(
        f"[{piece.media_type} {piece.hash}]\n" if isinstance(piece, Image) else piece
        for piece in message.pieces()
    )
