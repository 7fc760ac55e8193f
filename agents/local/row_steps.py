"""Run the rows of cache.py: padded chunks of prompts, and one token more for generating rows.

What fails for rows together is tried for each of them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from agents.local.cache import PADDING, Rows
from agents.local.choosing import choose
from agents.local.drafts import Draft, DrawnToken, deliver, finish_draft, record_token
from agents.local.measures import measure
from agents.local.memory import MemoryLimits, out_of_memory
from agents.local.replies import (
    advance,
    beside_failed_error,
    device_is_lost,
    failed_draft_error,
)
from agents.local.seating import Row, Seating
from agents.local.speculation import FEW_ROWS
from agents.local.stopping import EndDetector


class RowSteps:
    """The steps of an engine over rows that run through the model together, or one by one."""

    def __init__(
        self,
        rows: Rows,
        seating: Seating,
        ends: EndDetector,
        chunk: int,
        *,
        speculates: bool = False,
    ) -> None:
        self._rows = rows
        # Guessed tokens that are wrong have to be cut off again.
        self._speculates = speculates and rows.can_truncate
        self._seating = seating
        self._ends = ends
        self._memory = MemoryLimits(rows, seating, chunk)

    def step(self) -> None:
        """Read at most one chunk of prompts, and give every generating row its next token."""
        if self._seating.active > self._seating.decoding:
            self._read_prompts()
        if self._seating.decoding:
            self._decode_step()

    # Reading prompts.

    def _read_prompts(self) -> None:
        """Read a chunk of the prompts that wait for it.

        These are the first rows of their region, as many as fit a chunk when padded to the longest.
        """
        first = self._seating.decoding
        lengths: list[int] = []
        width = 0
        for row in self._seating.table[first : self._seating.active]:
            left = min(row.planned - row.filled, self._memory.chunk)
            if lengths and max(width, left) * (len(lengths) + 1) > self._memory.chunk:
                break
            lengths.append(left)
            width = max(width, left)
        try:
            self._read(first, lengths, width)
        except Exception as error:
            if out_of_memory(error):
                self._memory.shrink_prefill(error, first, len(lengths))
            else:
                self._each_alone(self._read_row, first, len(lengths), error)

    def _read_row(self, number: int) -> None:
        """Read the next chunk of one row alone, from its beginning if it cannot be cut back."""
        row = self._seating.table[number]
        if not self._rows.can_truncate:
            self._rows.clear(number)
            row.filled = 0
        length = min(row.planned - row.filled, self._memory.chunk)
        self._read(number, [length], length)

    def _each_alone(
        self, work: Callable[[int], None], first: int, count: int, error: Exception
    ) -> None:
        """Do the work of rows one by one after it failed for them together.

        A row that fails alone is given up with its own error, and the others go on; rows that
        cannot be tried alone are to be asked for again.  The whole engine dies of a fault that
        leaves the device in an unknown state.
        """
        if device_is_lost(error):
            raise error
        # A generating row that cannot be cut back may have gone on in the step that failed.
        again = count > 1 and (self._rows.can_truncate or first >= self._seating.decoding)
        for draft in [row.draft for row in self._seating.table[first : first + count]]:
            fault = error
            by_itself = count == 1
            if again:
                try:
                    work(draft.row)
                    continue
                except Exception as own:
                    if device_is_lost(own):
                        raise
                    fault = own
                    by_itself = not out_of_memory(own)
            outcome = failed_draft_error(fault) if by_itself else beside_failed_error(fault)
            deliver(self._seating.release(draft.row), outcome)

    def _read(self, first: int, lengths: Sequence[int], width: int) -> None:
        """Run the next `lengths` tokens of the rows from `first` on through the model.

        `width` is the largest of the lengths.  Rows whose prompt is complete get their first token
        at once, or their scores.
        """
        rows = self._seating.table[first : first + len(lengths)]
        ids = np.zeros((len(rows), width), np.int64)
        positions = np.full((len(rows), width), PADDING, np.int64)
        # The last columns whose logits some row needs; a row of scores needs several.
        keep = 1
        for number, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            ids[number, width - length :] = row.tokens[row.filled : row.filled + length]
            positions[number, width - length :] = np.arange(row.filled, row.filled + length)
            keep = max(keep, min(length, row.filled + length - row.draft.first_needed))
        logits = self._rows.forward(first, ids, positions, keep)
        complete = [
            number for number, row in enumerate(rows) if row.filled + lengths[number] == row.planned
        ]
        starting = [number for number in complete if rows[number].draft.job.score_from is None]
        starting_rows = [rows[number] for number in starting]
        # Drawn before any row is changed: a lack of memory here leaves everything as it was.
        drawn = self._draw_tokens(starting_rows, logits[starting, -1]) if starting else []
        for number, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            if row.draft.job.score_from is not None:
                self._score(row, logits[number], length)
            row.filled += length
            row.draft.prefilled += length
            row.draft.memory_failures = 0
            self._seating.counts.prefilled += length
        # The drafts are listed first, since promoting and releasing moves the rows.
        for draft in [rows[number].draft for number in complete]:
            if draft.job.score_from is None:
                self._seating.promote(draft.row)
            else:
                deliver(self._seating.release(draft.row), finish_draft(draft, "scored"))
        for row in starting_rows:
            row.draft.drew()
        advance(self._seating, self._ends, starting_rows, drawn)

    def _score(self, row: Row, logits: torch.Tensor, length: int) -> None:
        """Append the log probabilities (nats) of the scored tokens after the positions just read.

        `logits` [keep, vocabulary] end at the last of the `length` positions.
        """
        end = row.filled + length
        for position in range(
            max(row.filled, row.draft.first_needed), min(end, len(row.draft.ids) - 1)
        ):
            here = logits[position - end]
            score = here[row.tokens[position + 1]] - torch.logsumexp(here, -1)
            row.draft.scores.append(float(score))

    # Decoding.

    def _decode_step(self) -> None:
        count = self._seating.decoding
        try:
            self._decode_rows(0, count)
        except Exception as error:
            if out_of_memory(error):
                self._memory.shrink_batch(error)
            else:
                self._each_alone(lambda number: self._decode_rows(number, 1), 0, count, error)
        else:
            self._seating.counts.steps += 1

    def _decode_rows(self, first: int, count: int) -> None:
        """Give `count` generating rows from `first` on their next token."""
        rows = self._seating.table[first : first + count]
        guesses = [self._guess(row) for row in rows]
        if any(guesses):
            self._decode_guesses(first, rows, guesses)
            return
        ids = np.array([[row.tokens[row.filled]] for row in rows], np.int64)
        positions = np.array([[row.filled] for row in rows], np.int64)
        drawn = self._draw_tokens(rows, self._rows.forward(first, ids, positions)[:, -1])
        for row in rows:
            row.draft.steps += 1
            row.draft.memory_failures = 0
        self._seating.counts.decoded += len(rows)
        self._go_on(rows, drawn)

    def _go_on(self, rows: Sequence[Row], drawn: Sequence[DrawnToken]) -> None:
        """Add a token to each row, whose last one has run through the model."""
        for row in rows:
            row.filled += 1
            row.draft.drew()
        advance(self._seating, self._ends, rows, drawn)

    # Guessing (speculation.py).

    def _guess(self, row: Row) -> list[int]:
        """Return guesses for the tokens after the next one of a row, if they may pay."""
        if not self._speculates or self._seating.decoding > FEW_ROWS:
            return []
        draft = row.draft
        left = draft.job.max_tokens - (len(draft.ids) - len(draft.job.ids))
        return draft.guess(min(left, self._rows.capacity - row.filled) - 1)

    def _decode_guesses(
        self, first: int, rows: Sequence[Row], guesses: Sequence[Sequence[int]]
    ) -> None:
        """Give rows their next token, and those after it that were guessed right."""
        width = 1 + max(map(len, guesses))
        ids = np.zeros((len(rows), width), np.int64)
        positions = np.full((len(rows), width), PADDING, np.int64)
        for number, (row, guess) in enumerate(zip(rows, guesses, strict=True)):
            begin = width - 1 - len(guess)
            ids[number, begin:] = [row.tokens[row.filled], *guess]
            positions[number, begin:] = range(row.filled, row.filled + 1 + len(guess))
        logits = self._rows.forward(first, ids, positions, width)
        places = [
            (row, ahead) for row, guess in enumerate(guesses) for ahead in range(len(guess) + 1)
        ]
        columns = [width - 1 - len(guesses[row]) + ahead for row, ahead in places]
        numbers = [row for row, _ in places]
        drawn = self._draw_tokens(
            [rows[row] for row in numbers],
            logits[numbers, columns],
            [ahead for _, ahead in places],
        )
        by_row: list[list[DrawnToken]] = [[] for _ in rows]
        for number, token in zip(numbers, drawn, strict=True):
            by_row[number].append(token)
        for row, guess, tokens in zip(rows, guesses, by_row, strict=True):
            pairs = enumerate(zip(guess, tokens, strict=False))
            true = next((n for n, (token, new) in pairs if new.token != token), len(guess))
            del tokens[true + 1 :]
            row.draft.steps += 1
            row.draft.memory_failures = 0
            if row.draft.guesses is not None:
                row.draft.guesses.note(len(guess), true)
        self._seating.counts.decoded += len(places)
        drafts = [row.draft for row in rows]
        for ahead in range(width):
            # A reply that has ended lets go of its row.
            going_on = [
                number
                for number, (row, tokens) in enumerate(zip(rows, by_row, strict=True))
                if ahead < len(tokens) and row.occupant is drafts[number]
            ]
            self._go_on(
                [rows[number] for number in going_on],
                [by_row[number][ahead] for number in going_on],
            )

    def _draw_tokens(
        self, rows: Sequence[Row], logits: torch.Tensor, ahead: Sequence[int] | None = None
    ) -> list[DrawnToken]:
        """Return the next token of each row, or one further `ahead` of it.

        `logits` is [rows, vocabulary], float32, and is shifted in place.
        """
        drafts = [row.draft for row in rows]
        further = ahead or [0] * len(rows)
        chosen = choose(
            rule_logits(logits, drafts),
            [draft.job.sampling for draft in drafts],
            [draft.draw(count) for draft, count in zip(drafts, further, strict=True)],
        )
        # [rows, 3]: one copy from the device for all of them.
        measures = measure(logits, chosen).T.tolist()
        drawn = []
        for row, token in enumerate(chosen.tolist()):
            alternatives = drafts[row].job.alternatives
            logprob, entropy, certainty = measures[row]
            record = None
            if alternatives is not None:
                record = record_token(logits[row], token, logprob, alternatives)
            drawn.append(DrawnToken(token, logprob, entropy, certainty, record))
        return drawn


def rule_logits(logits: torch.Tensor, drafts: Sequence[Draft]) -> torch.Tensor:
    """Return the logits [rows, vocabulary] from which the tokens of drafts are drawn.

    They are the same tensor if no draft has rules.
    """
    ruled = [row for row, draft in enumerate(drafts) if draft.job.rules]
    if not ruled:
        return logits
    changed = logits.clone()
    for row in ruled:
        changed[row] = drafts[row].ruled_logits(logits[row : row + 1])[0]
    return changed
