"""The loop of the engine: run lanes and pieces of prompts, draw, measure, stop, guess, try again.

A step gives every generating row its next token and reads a part of the prompts.  Where rows lead
(lanes.py) it is started before the tokens of the step before are read: each of its lanes takes its
token from there on the device, and a reply that has ended meanwhile has run one token too many,
which is dropped.

What fails for rows together is tried for each of them alone.  When memory runs out, less is read at
once, or fewer rows are served.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from agents.local.device_work import deliver
from agents.local.drafts import (
    NO_ROW,
    Draft,
    DrawnToken,
    GenerationResult,
    TokenRecord,
    finish_draft,
    likeliest,
)
from agents.local.faults import (
    beside_failed_error,
    device_is_lost,
    failed_draft_error,
    out_of_memory,
    too_large_error,
)
from agents.local.lane_inputs import Lane, Piece
from agents.local.planning import (
    decoding_lanes,
    guess_lanes,
    most_alternatives,
    prompt_lanes,
    prompt_piece,
    rules_of,
)
from agents.local.rows import Result, Rows
from agents.local.seating import Row, Seating
from agents.local.speculation import Guesses
from agents.local.stopping import EndDetector
from arena.errors import ModelError

SMALLEST_CHUNK = 16
# In a row's tokens the place of a concept token.
NO_TOKEN = -1
# How often a draft may run out of memory once nothing can be made smaller.
MAX_MEMORY_FAILURES = 3
LOG = logging.getLogger("arena.local")


@dataclass(frozen=True, slots=True)
class Step:
    """A step on its way: the draft of each lane, None if nothing of a lane is wanted.

    `guessed` are the lanes whose own token is a guess, which may turn out to be wrong.
    """

    drafts: list[Draft | None]
    result: Result
    guessed: Mapping[int, tuple[Draft, Lane]] = field(default_factory=dict)

    def token(self, index: int, draft: Draft, token: int, measures: Sequence[float]) -> DrawnToken:
        """Return the token that a lane has drawn, with its record if its job asks for records."""
        logprob, entropy, certainty = measures
        record = None
        count = draft.job.alternatives
        if count is not None:
            others: tuple[tuple[int, float], ...] = ()
            if self.result.likeliest is not None:
                value, ids = (part[index, :count] for part in self.result.likeliest)
                others = likeliest(ids, value)
            record = TokenRecord(token, min(logprob, 0.0), others)
        return DrawnToken(token, logprob, entropy, certainty, record)


class Steps:
    """The steps of an engine over rows; `chunk` is the most tokens of prompts in one of them."""

    def __init__(
        self,
        rows: Rows,
        seating: Seating,
        ends: EndDetector,
        chunk: int,
        *,
        drafter: Callable[[], Guesses] | None = None,
    ) -> None:
        self._rows = rows
        self._seating = seating
        self._ends = ends
        self._chunk = chunk
        # Guesses that are wrong are cut off again; with exact seeds a reply that guesses would have
        # to wait longer than it gains.
        self._drafter = drafter if rows.can_truncate and not rows.exact else None
        self._on_their_way: deque[Step] = deque()
        self._number = 0

    def step(self) -> None:
        """Start a step with all rows that can go on, and take the results of those before it."""
        before = len(self._on_their_way)
        seating = self._seating
        lanes_end = seating.active if self._rows.mixed or self._rows.exact else seating.decoding
        self._attempt(self._run_lanes, range(lanes_end), self._serve_fewer)
        if not self._rows.exact:
            reading = range(seating.reading, seating.active)
            self._attempt(self._read_pieces, reading, self._read_less)
        # What was started now is read after the next step has been started.
        for _ in range(before):
            if self._on_their_way:
                self._take(self._on_their_way.popleft())

    def _started(self, step: Step) -> None:
        self._on_their_way.append(step)
        if not self._rows.leads:
            self._take(self._on_their_way.popleft())

    # Lanes.

    def _run_lanes(self, numbers: Sequence[int]) -> None:
        """Start a step of lanes of some rows, if there are any."""
        decoded = decoding_lanes(self._seating, numbers, self._number)
        room = self._rows.widest - len(decoded)
        prompts, counts = prompt_lanes(self._seating, numbers, room)
        guesses: Mapping[int, list[Lane]] = {}
        if self._drafter is not None:
            others = len(decoded) + len(prompts)
            guesses = guess_lanes(self._rows, decoded, others, self._drafter)
        entries: list[tuple[Draft | None, Lane]] = []
        guessed: dict[int, tuple[Draft, Lane]] = {}
        for draft, lane in decoded:
            entries.append((draft, lane))
            for guess in guesses.get(lane.row, ()):
                guessed[len(entries)] = (draft, guess)
                entries.append((draft, guess))
        entries += prompts
        if not entries:
            return
        drafts = [draft for draft, _ in entries]
        lanes = [lane for _, lane in entries]
        result = self._rows.step(lanes, most_alternatives(drafts), rules_of(drafts, lanes))
        self._number += 1
        for index, (wanted, lane) in enumerate(entries):
            if wanted is not None and lane.forced < 0 and index not in guessed:
                note_drawing(wanted, self._number, index)
        for draft, lane in decoded:
            self._seating.table[lane.row].filled += 1
            draft.steps += 1
            draft.memory_failures = 0
            if lane.row in guesses:
                # The next lane of this reply is not known before the step has been read.
                draft.step = -1
        self._seating.counts.decoded += len(decoded) + len(guessed)
        self._seating.counts.steps += bool(decoded)
        self._note_read(counts)
        self._started(Step(drafts, result, guessed))

    # Pieces of prompts.

    def _read_pieces(self, numbers: Sequence[int]) -> None:
        """Start to read the prompts of some rows, as much as goes into a chunk."""
        pieces: list[Piece] = []
        drafts: list[Draft | None] = []
        counts: list[tuple[Row, int]] = []
        for number in numbers:
            row = self._seating.table[number]
            lengths = [count for _, count in counts]
            count = self._rows.next_length(lengths, row.left, self._chunk)
            if count <= 0:
                if row.left > 0:
                    break
                continue
            pieces.append(prompt_piece(number, row, count))
            drafts += [row.draft] * len(pieces[-1].lanes)
            counts.append((row, count))
        if not pieces:
            return
        all_lanes = [lane for piece in pieces for lane in piece.lanes]
        rules = rules_of(drafts, all_lanes)
        result = self._rows.read(pieces, most_alternatives(drafts), rules)
        for draft in drafts:
            if draft is not None and draft.job.score_from is None:
                # No lane can take its token from this step.
                note_drawing(draft, -1, 0)
        self._note_read(counts)
        self._started(Step(drafts, result))

    def _note_read(self, counts: Sequence[tuple[Row, int]]) -> None:
        """Count tokens of prompts; rows whose prompt has been read begin to generate."""
        complete = []
        for row, count in counts:
            row.filled += count
            row.draft.prefilled += count
            row.draft.memory_failures = 0
            self._seating.counts.prefilled += count
            if row.left == 0 and row.draft.job.score_from is None:
                complete.append(row.draft)
        # This moves rows.
        for draft in complete:
            self._seating.finish_reading(draft)

    # Results.

    def _take(self, step: Step) -> None:
        """Wait for the results of a step, and go on with them."""
        tokens, measures = step.result.wait()
        numbers = measures.tolist()
        ended: list[tuple[Draft, str | Exception]] = []
        for index, draft in enumerate(step.drafts):
            if draft is None or draft.row == NO_ROW or index in step.guessed:
                continue
            if draft.job.score_from is not None:
                draft.scores.append(numbers[index][0])
                if len(draft.scores) == len(draft.ids) - draft.job.score_from:
                    ended.append((draft, "scored"))
                continue
            draft.in_flight -= 1
            if draft.lead is not None:
                # It gets the token of the row that it goes along with.
                continue
            if index in step.result.faults:
                ended.append((draft, step.result.faults[index]))
                continue
            end = self._append(draft, step.token(index, draft, tokens[index], numbers[index]))
            if end is not None:
                ended.append((draft, end))
        # The end of a reply moves rows, of which only as much is kept as is known to be filled: so
        # first all guesses are taken.
        self._end(ended + self._take_guesses(step, tokens, numbers, {draft for draft, _ in ended}))

    def _take_guesses(
        self,
        step: Step,
        tokens: Sequence[int],
        numbers: Sequence[Sequence[float]],
        over: set[Draft],
    ) -> list[tuple[Draft, str | Exception]]:
        """Go on with the results of lanes of guesses, as long as these came true.

        `over` are replies that end with this step.  Returns how further ones end.
        """
        ended: list[tuple[Draft, str | Exception]] = []
        made: Counter[Draft] = Counter()
        true: Counter[Draft] = Counter()
        for index, (draft, lane) in step.guessed.items():
            made[draft] += 1
            is_over = draft.row == NO_ROW or draft in over
            if is_over or draft.ids[lane.place :].tolist() != [lane.token]:
                # It has ended, or has another token here or before.
                continue
            true[draft] += 1
            self._seating.table[draft.row].filled += 1
            draft.drew()
            end = self._append(draft, step.token(index, draft, tokens[index], numbers[index]))
            if end is not None:
                over.add(draft)
                ended.append((draft, end))
        for draft, count in made.items():
            if draft.guesses is not None:
                draft.guesses.note(count, true[draft])
        return ended

    def _append(self, draft: Draft, new: DrawnToken) -> str | Exception | None:
        """Add its next token to a reply; return how the reply ends with it, None if it goes on."""
        row = self._seating.table[draft.row]
        draft.append(new)
        try:
            end = self._ends.finish_reason(draft, new.token)
        except Exception as error:
            # A text that cannot be decoded ends its own reply alone.
            return error
        place = len(draft.ids) - 1
        if end is not None or place == self._rows.capacity:
            return end or "length"
        # The token runs through the model in a later step, which gives the one after it.  Nobody
        # else can go on from a row with a concept token.
        mixed = draft.state is not None and draft.state.mixture is not None
        row.tokens[place] = NO_TOKEN if mixed else new.token
        row.planned = place + 1
        if draft.companion is not None:
            self._go_along(draft.companion, new.token)
        return None

    def _go_along(self, companion: Draft, token: int) -> None:
        """Give a row the token of the one that it goes along with."""
        row = self._seating.table[companion.row]
        row.tokens[len(companion.ids)] = token
        companion.ids.append(token)
        row.planned = len(companion.ids)

    def _end(self, ended: Sequence[tuple[Draft, str | Exception]]) -> None:
        """Deliver replies that are complete, or their own errors."""
        for draft, how in ended:
            self._release(
                draft, finish_draft(draft, how) if isinstance(how, str) else failed_draft_error(how)
            )

    def _release(self, draft: Draft, outcome: GenerationResult | ModelError) -> None:
        deliver(self._seating.release(draft.row).future, outcome)

    # Failures.

    def _attempt(
        self,
        work: Callable[[Sequence[int]], None],
        numbers: Sequence[int],
        do_less: Callable[[Sequence[Draft], BaseException], None],
    ) -> None:
        """Do the work of rows; after a failure with less at once, or for each of them alone.

        The whole engine dies of a fault that leaves the device in an unknown state.
        """
        if not numbers:
            return
        drafts = [self._seating.table[number].draft for number in numbers]
        try:
            work(numbers)
        except Exception as error:
            if device_is_lost(error):
                raise
            # What lanes would take from these steps, they must take from the host now.
            while self._on_their_way:
                self._take(self._on_their_way.popleft())
            drafts = [draft for draft in drafts if draft.row != NO_ROW]
            if out_of_memory(error):
                self._clean_up(drafts)
                do_less(drafts, error)
            else:
                self._each_alone(work, drafts, error)

    def _each_alone(
        self, work: Callable[[Sequence[int]], None], drafts: Sequence[Draft], error: Exception
    ) -> None:
        """Do the work of rows one by one after it failed for them together.

        A row that fails alone is given up with its own error, and the others go on; rows that
        cannot be tried alone are to be asked for again.
        """
        # A generating row that cannot be cut back may have gone on in the step that failed.
        generates = any(draft.row < self._seating.decoding for draft in drafts)
        again = len(drafts) > 1 and (self._rows.can_truncate or not generates)
        for draft in drafts:
            if draft.row == NO_ROW:
                # It went with the row that it goes along with.
                continue
            fault = error
            by_itself = len(drafts) == 1
            if again and not draft.is_paired:
                try:
                    self._restart_uncut(draft)
                    work([draft.row])
                    continue
                except Exception as own:
                    if device_is_lost(own):
                        raise
                    fault = own
                    by_itself = not out_of_memory(own)
            self._release(
                draft, failed_draft_error(fault) if by_itself else beside_failed_error(fault)
            )

    def _restart_uncut(self, draft: Draft) -> None:
        """Let a row that cannot be cut back be read from its beginning.

        Some of its layers may hold tokens of a step that failed.
        """
        if not self._rows.can_truncate:
            self._rows.clear(draft.row)
            self._seating.table[draft.row].filled = 0

    def _clean_up(self, drafts: Sequence[Draft]) -> None:
        """Note a lack of memory in a step of some drafts."""
        self._seating.counts.out_of_memory += 1
        LOG.warning(
            "the device is out of memory (%d times): the local engine goes on with less at once",
            self._seating.counts.out_of_memory,
        )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        for draft in drafts:
            self._restart_uncut(draft)

    def _read_less(self, drafts: Sequence[Draft], error: BaseException) -> None:
        """Read less at once; a request that is too large alone fails."""
        if self._chunk > SMALLEST_CHUNK:
            self._chunk = max(SMALLEST_CHUNK, self._chunk // 2)
        elif drafts:
            self._count_failure(drafts[0], error)

    def _serve_fewer(self, drafts: Sequence[Draft], error: BaseException) -> None:
        """Generate for fewer rows, now and later: the younger half goes back to the queue.

        A draft that is already alone is tried again.
        """
        drafts = sorted(
            (draft for draft in drafts if draft.lead is None), key=lambda draft: draft.came_at
        )
        if len(drafts) == 1 and self._rows.can_truncate:
            self._count_failure(drafts[0], error)
            return
        # Rows that cannot be cut back were cleared: all of them have to be read again.
        keep = len(drafts) // 2 if self._rows.can_truncate else 0
        self._seating.most_active = max(1, min(self._seating.most_active, len(drafts) // 2))
        now = time.monotonic()
        for draft in drafts[keep:]:
            self._seating.release(draft.row)
            if draft.state is not None:
                # Its tokens alone do not say what has run through the model.
                draft.begin()
            self._seating.queue.add(draft, now)

    def _count_failure(self, draft: Draft, error: BaseException) -> None:
        # Other programs use the device as well, and may free memory meanwhile.
        draft.memory_failures += 1
        if draft.memory_failures >= MAX_MEMORY_FAILURES:
            self._release(draft, too_large_error(len(draft.ids), error))


def note_drawing(draft: Draft, step: int, lane: int) -> None:
    """Note that a lane of a step draws the next token of a draft."""
    draft.in_flight += 1
    draft.step = step
    draft.lane = lane
    draft.drew()
