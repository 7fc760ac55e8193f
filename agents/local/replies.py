"""Add drawn tokens to replies, end those that are complete, and name what goes wrong."""

from __future__ import annotations

from collections.abc import Sequence

from agents.local.drafts import Draft, DrawnToken, deliver, finish_draft
from agents.local.seating import Row, Seating
from agents.local.stopping import EndDetector
from arena.errors import RefusedError, UnreachableError


def advance(
    seating: Seating, ends: EndDetector, rows: Sequence[Row], drawn: Sequence[DrawnToken]
) -> None:
    """Append its token to each row, and deliver the replies that end with it."""
    finished: list[tuple[Draft, str | Exception]] = []
    for row, new in zip(rows, drawn, strict=True):
        draft = row.draft
        draft.append(new)
        try:
            end = ends.finish_reason(draft, new.token)
        except Exception as error:
            # A text that cannot be decoded ends its own reply alone.
            finished.append((draft, error))
            continue
        place = len(draft.ids) - 1
        if end is not None or place == seating.rows.capacity:
            finished.append((draft, end or "length"))
        else:
            # The token runs through the model in a later step, which gives the one after it.
            row.tokens[place] = new.token
            row.planned = place + 1
    for draft, how in finished:
        outcome = finish_draft(draft, how) if isinstance(how, str) else failed_draft_error(how)
        deliver(seating.release(draft.row), outcome)


def device_is_lost(error: BaseException) -> bool:
    """Return whether no further step on this device can succeed."""
    return "CUDA error" in str(error) or "device-side assert" in str(error)


def beside_failed_error(cause: Exception) -> UnreachableError:
    """Return the error of a request whose row cannot be told from one that failed beside it."""
    error = UnreachableError(
        f"a step of the local engine failed for this request or one beside it"
        f" ({type(cause).__name__}: {cause}); try again"
    )
    error.__cause__ = cause
    return error


def failed_draft_error(cause: Exception) -> RefusedError:
    """Return the error of the one request whose row failed."""
    error = RefusedError(
        f"the local engine cannot answer this request: {type(cause).__name__}: {cause}"
    )
    error.__cause__ = cause
    return error
