"""Load keys from a file of NAME=value lines, for users who do not want them in their shell.

The keys go into the environment of this process and nowhere else.  What calls no model, as an
estimate of costs, makes models without a key.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from arena.errors import StudyError

LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)", re.DOTALL)

NEEDED = ContextVar("keys are needed", default=True)


@contextmanager
def keys_not_needed() -> Iterator[None]:
    """Let models be made without their keys, which will never be called."""
    token = NEEDED.set(False)
    try:
        yield
    finally:
        NEEDED.reset(token)


def refuse_without_key(why: str) -> None:
    """Raise StudyError, which says that a model has no key, where it needs one."""
    if NEEDED.get():
        raise StudyError(why)


def load_keys(path: Path) -> list[str]:
    """Put the keys of a file into the environment, and return the names in the file.

    A name that is set in the environment already is left as it is.  A line is NAME=value, with or
    without `export` before it and quotes around the value; empty lines and lines that begin with #
    are skipped.  Raises StudyError, which never repeats a value, if the file cannot be read, if
    other users can read it, or if a line has another form; then nothing is set.
    """
    try:
        with path.open("rb") as file:
            # The mode of the file that is open: the path may name another one by now.
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            raw = file.read()
    except OSError as error:
        raise StudyError(
            f"the file of keys {path} cannot be read: {error.strerror};"
            " give a file of NAME=value lines"
        ) from None
    # On Windows the mode says nothing of who may read a file: its user's folders are its own.
    if mode & 0o077 and os.name != "nt":
        raise StudyError(
            f"the file of keys {path} can be read by others (mode {mode:o}):"
            f" run `chmod 600 {path}` first"
        )
    # All lines are checked before the first key is set.
    keys: dict[str, str] = {}
    for number, line in enumerate(raw.decode("utf-8-sig", "replace").splitlines(), 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        match = LINE.fullmatch(words)
        value = strip_quotes(match[2]) if match else ""
        if match is None or not value or not (value.isascii() and value.isprintable()):
            raise StudyError(
                f"line {number} of the file of keys {path} is not NAME=value, such as"
                " OPENAI_API_KEY=sk-...: correct it"
            )
        keys[match[1]] = value
    for name, value in keys.items():
        if not os.environ.get(name, "").strip():
            os.environ[name] = value
    return list(keys)


def strip_quotes(value: str) -> str:
    """Return the value without the quotes around it."""
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'" else value
