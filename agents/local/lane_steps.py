"""Run the lanes of lanes.py, one step ahead of what the host has seen.

A step is started before the tokens of the one before are read: each of its lanes takes its token
from there on the device.  A reply that has ended meanwhile has run one token too many, which is
dropped.  Prompts go along as lanes, or with free seeds and many tokens as pieces.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from agents.local.drafts import (
    NO_ROW,
    Draft,
    DrawnToken,
    TokenRecord,
    deliver,
    finish_draft,
    likeliest,
    too_large_error,
)
from agents.local.lane_inputs import Lane, Piece
from agents.local.lanes import LaneRows, Result, Rule
from agents.local.memory import MAX_MEMORY_FAILURES, SMALLEST_CHUNK, out_of_memory
from agents.local.replies import advance, beside_failed_error, device_is_lost, failed_draft_error
from agents.local.seating import Row, Seating
from agents.local.speculation import FEW_LANES
from agents.local.stopping import EndDetector

# With free seeds, the most tokens of a prompt that go along as lanes: longer ones are read in
# pieces, which takes less time for each token.
MOST_MIXED = 16
LOG = logging.getLogger("arena.local")


@dataclass(frozen=True, slots=True)
class Step:
    """A step on its way: the draft of each lane, None if nothing of a lane is wanted.

    `guessed` are the lanes whose own token is a guess, which may turn out to be wrong.
    """

    number: int
    drafts: list[Draft | None]
    result: Result
    guessed: Mapping[int, tuple[Draft, Lane]] = field(default_factory=dict)


class LaneSteps:
    """The steps of an engine over LaneRows."""

    def __init__(
        self,
        rows: LaneRows,
        seating: Seating,
        ends: EndDetector,
        chunk: int,
        *,
        speculates: bool = False,
    ) -> None:
        self._rows = rows
        self._seating = seating
        self._ends = ends
        self._chunk = chunk
        # With exact seeds a reply that guesses would have to wait longer than it gains.
        self._speculates = speculates and not rows.exact
        self._on_their_way: deque[Step] = deque()
        self._number = 0

    def step(self) -> None:
        """Start a step with all rows that can go on, and take the results of those before it."""
        try:
            new = self._run_lanes()
            if not self._rows.exact:
                new += self._read_pieces()
            # What was started now is read after the next step has been started.
            while len(self._on_their_way) > new:
                self._take(self._on_their_way.popleft())
        except Exception as error:
            if device_is_lost(error):
                raise
            self._give_up(error)

    def _run_lanes(self) -> int:
        """Start a step of lanes if there are any; return the number of steps started."""
        lanes: list[Lane] = []
        drafts: list[Draft | None] = []
        decoded = self._add_decoding(lanes, drafts)
        counts = self._add_prompts(lanes, drafts)
        if not lanes:
            return 0
        guessed = self._add_guesses(lanes, drafts, decoded)
        rules = rules_of(drafts, lanes)
        result = self._rows.step(lanes, most_alternatives(drafts), rules)
        self._number += 1
        for index, (draft, lane) in enumerate(zip(drafts, lanes, strict=True)):
            if draft is not None and lane.forced < 0 and index not in guessed:
                self._note_drawing(draft, self._number, index)
        for row in decoded:
            row.filled += 1
            row.draft.steps += 1
        for guesser, _ in guessed.values():
            # The next lane of this reply is not known before the step has been read.
            guesser.step = -1
        self._seating.counts.decoded += len(decoded) + len(guessed)
        self._seating.counts.steps += bool(decoded)
        self._note_read(counts)
        self._on_their_way.append(Step(self._number, drafts, result, guessed))
        return 1

    def _add_decoding(self, lanes: list[Lane], drafts: list[Draft | None]) -> list[Row]:
        """Add the next token of every reply that needs another; return their rows."""
        decoded = []
        for number, row in enumerate(self._seating.table[: self._seating.decoding]):
            draft = row.draft
            job = draft.job
            if draft.in_flight and (draft.step != self._number or job.rules):
                # Its token is drawn by a step that no lane can take it from, or decides how the
                # next one is drawn.
                continue
            generated = len(draft.ids) - len(job.ids) + draft.in_flight
            if generated >= job.max_tokens or row.filled == self._rows.capacity:
                continue
            token = 0 if draft.in_flight else int(row.tokens[row.filled])
            source = draft.lane if draft.in_flight else -1
            lanes.append(Lane(number, row.filled, token, source, -1, draft.draw(), job.sampling))
            drafts.append(draft)
            decoded.append(row)
        return decoded

    def _add_guesses(
        self, lanes: list[Lane], drafts: list[Draft | None], decoded: list[Row]
    ) -> dict[int, tuple[Draft, Lane]]:
        """Add guesses for the tokens after those of the rows that decode, while there are few.

        Returns the lanes of guesses, by their number.
        """
        guessed: dict[int, tuple[Draft, Lane]] = {}
        if not self._speculates:
            return guessed
        first = {lane.row: lane for lane in lanes[: len(decoded)]}
        for number, lane in first.items():
            draft = self._seating.table[number].draft
            generated = len(draft.ids) - len(draft.job.ids) + draft.in_flight
            left = draft.job.max_tokens - generated
            most = min(FEW_LANES, self._rows.widest) - len(lanes)
            room = min(left - 1, self._rows.capacity - lane.place - 1, most)
            # The token of the lane itself may be on its way: then its guess is the first of them.
            guess = draft.guess(room + draft.in_flight)[draft.in_flight :] if room > 0 else []
            for ahead, token in enumerate(guess, 1):
                place = lane.place + ahead
                further = Lane(number, place, token, -1, -1, draft.draw(ahead), lane.sampling)
                guessed[len(lanes)] = (draft, further)
                lanes.append(further)
                drafts.append(draft)
        return guessed

    def _add_prompts(self, lanes: list[Lane], drafts: list[Draft | None]) -> list[tuple[Row, int]]:
        """Add tokens of prompts; return rows and the numbers of their tokens that are added."""
        counts = []
        first = self._seating.decoding
        for number, row in enumerate(self._seating.table[first : self._seating.active], first):
            left = row.planned - row.filled
            count = min(left, self._rows.widest - len(lanes))
            if count == 0 or not (self._rows.exact or left <= MOST_MIXED):
                continue
            for place in range(row.filled, row.filled + count):
                lane = prompt_lane(number, row, place)
                wanted = lane.forced >= 0 or draws(row, place)
                lanes.append(lane)
                drafts.append(row.draft if wanted else None)
            counts.append((row, count))
        return counts

    def _read_pieces(self) -> int:
        """Start to read long pieces of prompts; return the number of steps started."""
        pieces: list[Piece] = []
        drafts: list[Draft | None] = []
        counts = []
        room = self._chunk
        first = self._seating.decoding
        for number, row in enumerate(self._seating.table[first : self._seating.active], first):
            count = min(row.planned - row.filled, room)
            if count <= 0:
                continue
            room -= count
            end = row.filled + count
            places = range(max(row.filled, row.draft.first_needed), end)
            lanes = [
                lane
                for place in places
                if (lane := prompt_lane(number, row, place)).forced >= 0 or draws(row, place)
            ]
            pieces.append(Piece(number, row.filled, row.tokens[row.filled : end], lanes))
            drafts += [row.draft] * len(lanes)
            counts.append((row, count))
        if not pieces:
            return 0
        all_lanes = [lane for piece in pieces for lane in piece.lanes]
        try:
            result = self._rows.read(pieces, most_alternatives(drafts), rules_of(drafts, all_lanes))
        except Exception as error:
            if not out_of_memory(error):
                raise
            self._read_less(error, pieces[0].row)
            return 0
        for draft in drafts:
            if draft is not None and draft.job.score_from is None:
                # No lane can take its token from this step.
                self._note_drawing(draft, -1, 0)
        self._note_read(counts)
        self._on_their_way.append(Step(-1, drafts, result))
        return 1

    def _note_drawing(self, draft: Draft, step: int, lane: int) -> None:
        draft.in_flight += 1
        draft.step = step
        draft.lane = lane
        draft.drew()

    def _note_read(self, counts: list[tuple[Row, int]]) -> None:
        """Count tokens of prompts; rows whose prompt has been read begin to generate."""
        complete = []
        for row, count in counts:
            row.filled += count
            row.draft.prefilled += count
            row.draft.memory_failures = 0
            self._seating.counts.prefilled += count
            if row.filled == row.planned and row.draft.job.score_from is None:
                complete.append(row.draft)
        # Promoting moves rows.
        for draft in complete:
            self._seating.promote(draft.row)

    def _take(self, step: Step) -> None:
        """Wait for the results of a step, and go on with them."""
        tokens, measures = step.result.wait()
        rows: list[Row] = []
        drawn: list[DrawnToken] = []
        scored: list[Draft] = []
        numbers = measures.tolist()

        def token_of(index: int, draft: Draft) -> DrawnToken:
            record = record_lane(step, index, draft, tokens[index], numbers[index][0])
            logprob, entropy, certainty = numbers[index]
            return DrawnToken(tokens[index], logprob, entropy, certainty, record)

        for index, draft in enumerate(step.drafts):
            if draft is None or draft.row == NO_ROW or index in step.guessed:
                continue
            if draft.job.score_from is not None:
                draft.scores.append(numbers[index][0])
                if len(draft.scores) == len(draft.ids) - draft.job.score_from:
                    scored.append(draft)
                continue
            draft.in_flight -= 1
            if index in step.result.faults:
                fault = failed_draft_error(step.result.faults[index])
                deliver(self._seating.release(draft.row), fault)
                continue
            rows.append(self._seating.table[draft.row])
            drawn.append(token_of(index, draft))
        advance(self._seating, self._ends, rows, drawn)
        self._take_guesses(step, token_of)
        for draft in scored:
            deliver(self._seating.release(draft.row), finish_draft(draft, "scored"))

    def _take_guesses(self, step: Step, token_of: Callable[[int, Draft], DrawnToken]) -> None:
        """Go on with the results of lanes of guesses, as long as these came true."""
        made: Counter[Draft] = Counter()
        true: Counter[Draft] = Counter()
        for index, (draft, lane) in step.guessed.items():
            made[draft] += 1
            if draft.row == NO_ROW or draft.ids[lane.place :].tolist() != [lane.token]:
                # It has ended, or has another token here or before.
                continue
            true[draft] += 1
            row = self._seating.table[draft.row]
            row.filled += 1
            draft.drew()
            advance(self._seating, self._ends, [row], [token_of(index, draft)])
        for draft, count in made.items():
            if draft.guesses is not None:
                draft.guesses.note(count, true[draft])

    def _read_less(self, error: BaseException, row: int) -> None:
        """Read shorter pieces after a lack of memory; a request that is too large alone fails."""
        self._note_lack()
        if self._chunk > SMALLEST_CHUNK:
            self._chunk = max(SMALLEST_CHUNK, self._chunk // 2)
            return
        draft = self._seating.table[row].draft
        draft.memory_failures += 1
        if draft.memory_failures >= MAX_MEMORY_FAILURES:
            deliver(self._seating.release(row), too_large_error(draft, error))

    def _note_lack(self) -> None:
        self._seating.counts.out_of_memory += 1
        LOG.warning(
            "the device is out of memory (%d times): the local engine goes on with less at once",
            self._seating.counts.out_of_memory,
        )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _give_up(self, error: Exception) -> None:
        """End all requests in rows after a step that failed; alone, one is told why.

        Which lane a step failed for cannot be known, so that the others are to be asked again.
        """
        self._on_their_way.clear()
        if out_of_memory(error):
            self._note_lack()
        rows = self._seating.table[: self._seating.active]
        alone = len(rows) == 1 and not out_of_memory(error)
        for draft in [row.draft for row in rows]:
            released = self._seating.release(draft.row)
            deliver(released, failed_draft_error(error) if alone else beside_failed_error(error))


def draws(row: Row, place: int) -> bool:
    """Return whether the first token of a reply is drawn after a place in its prompt."""
    return place + 1 == row.planned and row.draft.job.score_from is None


def prompt_lane(number: int, row: Row, place: int) -> Lane:
    """Return the lane of a token of a prompt, which may draw the first token or measure one."""
    draft = row.draft
    token = int(row.tokens[place])
    if draws(row, place):
        return Lane(number, place, token, -1, -1, draft.draw(), draft.job.sampling)
    is_scored = draft.job.score_from is not None and place >= draft.first_needed
    forced = int(row.tokens[place + 1]) if is_scored and place + 1 < row.planned else -1
    return Lane(number, place, token, forced=forced)


def rules_of(drafts: list[Draft | None], lanes: list[Lane]) -> dict[int, Rule]:
    """Return the rules of the lanes that draw a token for a draft that has some, by lane."""
    return {
        number: draft.ruled_logits
        for number, (draft, lane) in enumerate(zip(drafts, lanes, strict=True))
        if draft is not None and draft.job.rules and lane.forced < 0
    }


def most_alternatives(drafts: list[Draft | None]) -> int:
    """Return the largest number of likeliest tokens that a draft asks for."""
    return max((draft.job.alternatives or 0 for draft in drafts if draft is not None), default=0)


def record_lane(
    step: Step, index: int, draft: Draft, token: int, logprob: float
) -> TokenRecord | None:
    """Return the record of a token that a lane has drawn, if its job asks for records."""
    count = draft.job.alternatives
    if count is None:
        return None
    others: tuple[tuple[int, float], ...] = ()
    if step.result.likeliest is not None:
        value, token_ids = (part[index, :count] for part in step.result.likeliest)
        others = likeliest(token_ids, value)
    return TokenRecord(token, min(logprob, 0.0), others)
