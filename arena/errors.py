"""Define everything that can go wrong, as one tree.

    ArenaError
    ├── ModelError              a model gave no usable reply; the episode fails, the run goes on
    │   ├── RateLimitedError      the provider asked us to slow down
    │   ├── RefusedError          the provider refused the request (key, parameter, policy)
    │   │   └── RefusedSettingError     ... for a setting that the next attempt leaves out
    │   ├── ContextOverflowError  the prompt does not fit the model
    │   ├── EmptyReplyError       a reply without text
    │   ├── UnreachableError      no connection, or it broke before the reply was whole
    │   │   └── NotAskedError         ... since its batch ended before its turn
    │   └── BadReplyError         an answer that is not in the expected format
    ├── ProtocolError           a protocol broke a rule of the arena
    │   ├── ReaderError           a reader that can read no reply
    │   ├── ReplayError           a replayed protocol asked for something else than before
    │   ├── BusySeatError         one seat was asked twice at once
    │   └── LeakError             a private face was about to be shown to somebody else
    ├── RunStoppedError         the run starts no further call, and leaves its episodes open
    │   ├── BudgetSpentError        the next call does not fit the budget
    │   ├── UnreadableError         too many turns of a model cannot be read
    │   ├── ModelStoppedError       a model's first call failed, or its server stayed away
    │   └── BatchStoppedError       a batch was cancelled, or no further round may be sent
    ├── BatchUnclearError       it is not known yet whether a provider has a batch
    │   └── BatchUnnamedError       ... it has it, and does not tell its id yet
    ├── StoreError              the database or a journal cannot be read or written
    └── StudyError              the study, its options, models or subjects are wrong

Each message says what was asked, what was found and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arena.former_names import former_names

if TYPE_CHECKING:
    from arena.reply import Reply


class ArenaError(Exception):
    """The root: everything that this project raises on purpose."""


class ModelError(ArenaError):
    """A model gave no usable reply.

    `http_status` is the status of the HTTP answer, None if there was none.  `retryable` says
    whether the same request may succeed later: None stands for what holds for the class.  `reply`
    holds the token counts that the provider will bill in spite of the failure (a reply without
    text), None if it sent none.  `sent` says whether the request may have reached the provider: a
    request that was never sent costs nothing.
    """

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        reply: Reply | None = None,
        sent: bool = True,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        if retryable is not None:
            self.retryable = retryable
        self.reply = reply
        self.sent = sent


class RateLimitedError(ModelError):
    """The provider asked us to slow down, for `retry_after_s` seconds if it said for how long."""

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        retry_after_s: float | None = None,
        reply: Reply | None = None,
    ) -> None:
        super().__init__(message, http_status=http_status, reply=reply)
        self.retry_after_s = retry_after_s


class RefusedError(ModelError):
    """The provider refused the request: a bad key, a bad parameter, a policy."""


class RefusedSettingError(RefusedError):
    """The provider refused a setting that may be left out; the next attempt is sent without it.

    `note` says so to the user, without the provider's words.
    """

    retryable = True

    def __init__(self, message: str, *, note: str, http_status: int | None = None) -> None:
        super().__init__(message, http_status=http_status)
        self.note = note


class ContextOverflowError(ModelError):
    """The prompt does not fit the model's context."""


class EmptyReplyError(ModelError):
    """The reply came without any text, or with nothing but a call of a tool."""

    retryable = True


class UnreachableError(ModelError):
    """No connection, or it broke or timed out before the reply was whole.

    `server_down` says whether the server was not there at all, which says nothing about the
    request: None stands for a request that was never sent.  `server` is its address.
    """

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        reply: Reply | None = None,
        sent: bool = True,
        retryable: bool | None = None,
        server_down: bool | None = None,
        server: str | None = None,
    ) -> None:
        super().__init__(
            message, http_status=http_status, reply=reply, sent=sent, retryable=retryable
        )
        self.server_down = not sent if server_down is None else server_down
        self.server = server


class NotAskedError(UnreachableError):
    """The batch of the request expired or was cancelled before its turn; it costs nothing."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False, server_down=False)


class BadReplyError(ModelError):
    """The answer is not in the expected format."""

    retryable = True


class ProtocolError(ArenaError):
    """A protocol broke a rule of the arena."""


class ReaderError(ProtocolError):
    """A protocol's reader can read no reply."""


class ReplayError(ProtocolError):
    """A replayed protocol asked for something else than it did before."""


class BusySeatError(ProtocolError):
    """One seat was asked twice at once; a seat is a sequential process."""


class LeakError(ProtocolError):
    """A private face was about to be shown to somebody else than its author."""


class RunStoppedError(ArenaError):
    """The run starts no further call, and leaves its episodes open."""


class BudgetSpentError(RunStoppedError):
    """The next call does not fit the budget."""


class UnreadableError(RunStoppedError):
    """Too many turns of a model cannot be read."""


class ModelStoppedError(RunStoppedError):
    """A model is asked nothing more: its first call failed, or its server stayed away."""


class BatchStoppedError(RunStoppedError):
    """A batch was cancelled, or the run may send no further round of batches."""


class BatchUnclearError(ArenaError):
    """It is not known yet whether a provider has a batch; to create it anew might pay it twice."""


class BatchUnnamedError(BatchUnclearError):
    """A provider has a batch, and does not tell its id yet."""


class StoreError(ArenaError):
    """The database or a journal cannot be read or written."""


class StoreWarning(UserWarning):
    """Something in a store is left out, since it is damaged."""


class QuestionsWarning(UserWarning):
    """Something in a file of questions is not used."""


# These errors stop the run instead of failing an episode, which stays open for the next run.
STOPPING = (RunStoppedError, ReplayError, StoreError)


class StudyError(ArenaError):
    """The study, its options, models or subjects are wrong; nothing was started."""


# The record keeps the words of version 0.1.0, whose exceptions did not all end in Error.
STORED_KINDS = {
    "RateLimitedError": "RateLimited",
    "RefusedError": "Refused",
    "RefusedSettingError": "Refused",
    "ContextOverflowError": "ContextOverflow",
    "EmptyReplyError": "EmptyReply",
    "UnreachableError": "Unreachable",
    "BadReplyError": "BadReply",
    "BudgetSpentError": "BudgetSpent",
    "EndlessProtocolError": "Endless",
}


def error_kind(error: BaseException) -> str:
    """Return the word for an error in the record: its class, by its name in version 0.1.0."""
    name = type(error).__name__
    return STORED_KINDS.get(name, name)


# Hidden from type checkers, which would take any name for one of this module.  Of two kinds with
# one former name the first is meant.
if not TYPE_CHECKING:
    __getattr__ = former_names(
        __name__, {kind: name for name, kind in reversed(STORED_KINDS.items()) if name in globals()}
    )
