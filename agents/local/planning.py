"""Choose the lanes of a step: next tokens of replies, tokens of prompts, and guesses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from agents.local.drafts import Draft
from agents.local.lane_inputs import Lane, Piece
from agents.local.rows import NO_RULES, Rows, Rules
from agents.local.ruling import rule_lanes
from agents.local.seating import Row, Seating
from agents.local.speculation import Guesses


def decoding_lanes(seating: Seating, numbers: Sequence[int], step: int) -> list[tuple[Draft, Lane]]:
    """Return the next token of every reply in some rows that needs another, after step `step`."""
    decoded = []
    for number in numbers:
        if number >= seating.decoding:
            break
        row = seating.table[number]
        draft = row.draft
        job = draft.job
        if draft.in_flight and (draft.step != step or draft.is_ruled):
            # Its token is drawn by a step that no lane can take it from, or decides how the
            # next one is drawn.
            continue
        generated = len(draft.ids) - len(job.ids) + draft.in_flight
        if generated >= job.max_tokens or row.filled == seating.rows.capacity:
            continue
        token = 0 if draft.in_flight else int(row.tokens[row.filled])
        source = draft.lane if draft.in_flight else -1
        lane = Lane(number, row.filled, token, source, -1, draft.draw(), job.sampling)
        if draft.state is not None and draft.state.mixture is not None:
            lane = lane._replace(token=draft.ids[-1], mixture=draft.state.mixture)
        decoded.append((draft, lane))
    return decoded


def prompt_lanes(
    seating: Seating, numbers: Sequence[int], room: int
) -> tuple[list[tuple[Draft | None, Lane]], list[tuple[Row, int]]]:
    """Return at most `room` tokens of prompts, and the number of them of each row.

    A draft stands beside those that draw a token of its reply or measure one.
    """
    lanes: list[tuple[Draft | None, Lane]] = []
    counts = []
    for number in numbers:
        if number < seating.reading:
            continue
        row = seating.table[number]
        left = row.left
        count = min(left, room - len(lanes))
        if count <= 0 or not (seating.rows.exact or left <= seating.rows.mixed):
            continue
        for place in range(row.filled, row.filled + count):
            lane = prompt_lane(number, row, place)
            lanes.append((row.draft if is_wanted(row, lane) else None, lane))
        counts.append((row, count))
    return lanes, counts


def guess_lanes(
    rows: Rows, decoded: Sequence[tuple[Draft, Lane]], lanes: int, drafter: Callable[[], Guesses]
) -> dict[int, list[Lane]]:
    """Return guesses for the tokens after those of rows that decode, by row, while few do.

    `lanes` is the number of lanes of the step without them.
    """
    guesses: dict[int, list[Lane]] = {}
    if len(decoded) > rows.guessing_rows:
        return guesses
    for draft, lane in decoded:
        generated = len(draft.ids) - len(draft.job.ids) + draft.in_flight
        most = min(rows.guessing_lanes, rows.widest) - lanes
        left = draft.job.max_tokens - generated
        room = min(left - 1, rows.capacity - lane.place - 1, most)
        # The token of the lane itself may be on its way: then its guess is the first of them.
        found = draft.guess(room + draft.in_flight, drafter)[draft.in_flight :] if room > 0 else []
        if found:
            lanes += len(found)
            guesses[lane.row] = [
                Lane(lane.row, place, token, -1, -1, draft.draw(ahead), lane.sampling)
                for ahead, (place, token) in enumerate(enumerate(found, lane.place + 1), 1)
            ]
    return guesses


def prompt_lane(number: int, row: Row, place: int) -> Lane:
    """Return the lane of a token of a prompt, which may draw the first token or measure one."""
    draft = row.draft
    vector = draft.job.vectors.get(place)
    token = int(row.tokens[place]) if vector is None else 0
    if draws(row, place):
        return Lane(number, place, token, -1, -1, draft.draw(), draft.job.sampling, vector)
    is_scored = draft.job.score_from is not None and place >= draft.first_needed
    forced = int(row.tokens[place + 1]) if is_scored and place + 1 < row.planned else -1
    return Lane(number, place, token, forced=forced, mixture=vector)


def prompt_piece(number: int, row: Row, count: int) -> Piece:
    """Return the next `count` tokens of a prompt, with lanes for those that give something."""
    begin, end = row.filled, row.filled + count
    places = range(max(begin, row.draft.first_needed), end)
    lanes = [prompt_lane(number, row, place) for place in places]
    lanes = [lane for lane in lanes if is_wanted(row, lane)]
    ids = row.tokens[begin:end]
    vectors = row.draft.job.vectors
    if not vectors:
        return Piece(number, begin, ids, lanes)
    # The places of thoughts have numbers of their own, which are no tokens.
    here = {place: vector for place, vector in vectors.items() if begin <= place < end}
    return Piece(number, begin, ids.clip(min=0), lanes, here)


def draws(row: Row, place: int) -> bool:
    """Return whether the first token of a reply is drawn after a place in its prompt."""
    return place + 1 == row.planned and row.draft.job.score_from is None


def is_wanted(row: Row, lane: Lane) -> bool:
    """Return whether the lane of a token of a prompt gives a token or a score."""
    return lane.forced >= 0 or draws(row, lane.place)


def rules_of(drafts: Sequence[Draft | None], lanes: Sequence[Lane]) -> Rules:
    """Return the rules of the lanes that draw a token for a draft that has some."""
    ruled = [
        (number, draft)
        for number, (draft, lane) in enumerate(zip(drafts, lanes, strict=True))
        if draft is not None and draft.is_ruled and lane.forced < 0
    ]
    if not ruled:
        return NO_RULES
    return Rules([number for number, _ in ruled], partial(rule_lanes, [each for _, each in ruled]))


def most_alternatives(drafts: Sequence[Draft | None]) -> int:
    """Return the largest number of likeliest tokens that a draft asks for."""
    return max((draft.job.alternatives or 0 for draft in drafts if draft is not None), default=0)
