"""Find the table, view, canned query or saved query that a name stands for."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from arena.errors import StoreError
from arena.store.saved_queries import read_saved_queries
from arena.store.schema import TABLES
from arena.store.views.registry import ALL_VIEWS, CANNED, signature
from arena.text import printable

# A single word is never a query: the shortest ones, `from x` and `select 1`, have two.
WORD = re.compile(r"[A-Za-z0-9_-]+")


def sql_of(path: Path, words: str) -> str:
    """Return the SQL for the words of a user.

    A single word is the name of a table, view or saved query; anything else is SQL already.  Raises
    StoreError if nothing has that name, naming the nearest, or if it is a macro, which takes
    arguments.
    """
    name = words.strip().rstrip(";").strip()
    if not WORD.fullmatch(name):
        return words
    lower = name.lower()
    if lower in ALL_VIEWS and ALL_VIEWS[lower].parameters:
        view = ALL_VIEWS[lower]
        arguments = "; ".join(f"{name}: {comment}" for name, comment in view.parameters.items())
        raise StoreError(f"{lower} takes arguments: from {signature(lower, view)} ({arguments})")
    if lower in ALL_VIEWS or lower in TABLES:
        return f"from {lower}"
    saved = read_saved_queries(path)
    if name in saved:
        return saved[name].sql
    near = difflib.get_close_matches(lower, [*ALL_VIEWS, *TABLES, *saved], 3)
    hint = f"did you mean {' or '.join(near)}?" if near else "`arena sql --list` lists them"
    raise StoreError(f"there is no table, view or saved query {name!r}; {hint}")


def is_name(path: Path, words: str) -> bool:
    """Tell whether a text is just the name of a table, view or saved query."""
    try:
        return WORD.fullmatch(words.strip()) is not None and sql_of(path, words) != words
    except StoreError:
        return False


def list_queries(path: Path) -> list[tuple[str, str]]:
    """Return (form of the call, question) of every canned query, then of the saved ones."""
    canned = [(signature(name, view), view.question) for name, view in CANNED.items()]
    return canned + [
        (name, query.question or "(saved; its first line is no comment)")
        for name, query in read_saved_queries(path).items()
    ]


def list_lines(path: Path) -> list[str]:
    """Return the list of queries as lines to print."""
    rows = list_queries(path)
    width = max(len(call) for call, _ in rows)
    return [printable(f"{call:<{width}}  {question}") for call, question in rows]
