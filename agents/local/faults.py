"""Name what goes wrong in the engine, and tell what can be tried again."""

from __future__ import annotations

import torch

from arena.errors import ContextOverflowError, ModelError, RefusedError, UnreachableError


def device_is_lost(error: BaseException) -> bool:
    """Return whether no further step on this device can succeed."""
    return "CUDA error" in str(error) or "device-side assert" in str(error)


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that the device, or the machine, has no memory left."""
    # torch on a CPU raises a plain RuntimeError with these words.
    return isinstance(
        error, torch.OutOfMemoryError | MemoryError
    ) or "can't allocate memory" in str(error)


def first_line(error: BaseException) -> str:
    """Return the first line of an error, or its kind."""
    return str(error).partition("\n")[0] or type(error).__name__


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


def too_large_error(tokens: int, cause: BaseException) -> ContextOverflowError:
    """Return the error of a request that does not fit the memory even when it is alone."""
    return ContextOverflowError(
        f"a request of {tokens} tokens does not fit the memory of the device, even alone"
        f" ({first_line(cause)}); take fewer or shorter rows (?slots=, ?context=)"
    )


def lost_error(why: str, cause: BaseException | None) -> UnreachableError:
    """Return the error of what is lost with the device thread: one each, its traceback grows."""
    error = UnreachableError(why)
    error.__cause__ = cause
    return error


def work_error(cause: Exception) -> ModelError:
    """Return the error of other work on the device thread that failed."""
    if isinstance(cause, ModelError):
        return cause
    error: ModelError
    if out_of_memory(cause):
        error = ContextOverflowError(
            f"a reading does not fit the memory that the device has left ({first_line(cause)});"
            " read shorter replies, or leave more free (?slots=, ?context=)"
        )
    else:
        error = RefusedError(
            f"the local engine cannot read this: {type(cause).__name__}: {first_line(cause)}"
        )
    error.__cause__ = cause
    return error
