"""The prompt of `arena sql`: queries over several lines, completion that says what each column means, and a history.

Each query runs as `Arena.sql` does, so the store is let go between queries, and a run may write it meanwhile.  Left out: editing results,
and anything but reading.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.lexers import Lexer, PygmentsLexer

from arena.cli.output import FORMATS, print_result
from arena.errors import StoreError
from arena.store.catalogue import (
    CatalogueEntry,
    detail_lines,
    find_entry,
    overview_lines,
    read_catalogue,
)
from arena.store.database import query
from arena.store.names import is_name, list_lines, sql_of
from arena.store.query import QueryResult
from arena.store.saved_queries import save
from arena.text import printable

KEYWORDS = (
    "select from where group by order by having limit join left join using on and or not in is null as distinct count sum avg min max round"
    " case when then else end with union all filter over partition by qualify desc describe summarize between like"
)
COMMANDS = {
    ".tables": "list tables, views and macros",
    ".schema": "NAME: one of them in full",
    ".list": "list the questions that can be asked by name",
    ".all": "show the last result whole",
    ".format": f"how results are shown: {', '.join(FORMATS)}",
    ".save": "NAME: keep the last query beside the store, to run it by name",
    ".help": "list these commands",
    ".quit": "leave, as Ctrl-D does",
}
EXAMPLES = """\
  confidence_by_round;
  select model, phase, round(100 * mean, 1) as percent, n from confidence_by_model;
  select study, judge, share_proposition, share_first from side_bias;"""
# Texts and comments, which may hold a semicolon or a quotation mark of their own; one that is not closed runs to the end.
LITERALS_AND_COMMENTS = re.compile(
    r"'(?:[^']|'')*('|\Z)|\"(?:[^\"]|\"\")*(\"|\Z)|--[^\n]*(\n|\Z)|/\*.*?(\*/|\Z)", re.S
)
# Lines of the terminal that the heading of a result, its note and the prompt take.
AROUND_ROWS = 5


@dataclass(slots=True)
class Session:
    """What the prompt keeps between lines: the store, how results are shown, and the last query with its result."""

    path: Path
    format: str = "table"
    sql: str = ""
    last: QueryResult | None = None


def run_prompt(path: Path, format: str = "table") -> int:
    """Ask for queries and answer them until the user leaves; returns the exit status.  Raises StoreError where there is no store."""
    session = Session(path, format)
    greet(path)
    asking: PromptSession[str] = PromptSession(
        history=history(),
        completer=SqlCompleter(read_catalogue()),
        lexer=lexer(),
        multiline=Condition(
            lambda: not (is_finished(text := get_app().current_buffer.text) or is_name(path, text))
        ),
        prompt_continuation="   ...> ",
    )
    while True:
        try:
            line = asking.prompt("arena> ")
        except KeyboardInterrupt:
            continue
        except EOFError:
            return 0
        try:
            if not run_line(session, line.strip()):
                return 0
        except StoreError as error:
            print(printable(one_sentence(str(error))))
        except KeyboardInterrupt:
            print("stopped")


def greet(path: Path) -> None:
    """Say which store this is, what is in it, and how to begin."""
    studies = query(path, "select study, simulated from studies").rows
    names = (
        ", ".join(
            printable(study) + (" (SIMULATED)" if simulated else "") for study, simulated in studies
        )
        or "nothing yet"
    )
    print(f"{path}: {names}")
    print(
        "End a query with a semicolon, a lone name with Enter; .help lists commands, .list questions that can be asked by name."
    )
    print(f"For example:\n{EXAMPLES}")


def run_line(session: Session, line: str) -> bool:
    """Do what a line asks for, a command or a query; whether to go on.  Raises StoreError with what is wrong."""
    if line.startswith("."):
        return run_command(session, *line.rstrip(";").split(maxsplit=1))
    if line.strip("; \n"):
        session.sql = sql_of(session.path, line)
        session.last = query(session.path, session.sql)
        show(session, rows_that_fit())
    return True


def run_command(session: Session, name: str, argument: str = "") -> bool:
    """Do what a command asks for; whether to go on."""
    match name, argument.strip():
        case ((".quit" | ".exit"), _):
            return False
        case ".help", _:
            print("\n".join(f"  {name:<9} {meaning}" for name, meaning in COMMANDS.items()))
        case ".tables", _:
            print("\n".join(overview_lines()[:-1]))
        case ".list", _:
            print("\n".join(list_lines(session.path)))
        case ".schema", "":
            print("\n".join(overview_lines()[:-1]))
        case ".schema", of:
            print("\n".join(detail_lines(find_entry(of))))
        case ".format", wanted if wanted in FORMATS:
            session.format = wanted
        case ".format", wanted:
            raise StoreError(f"results are shown as {', '.join(FORMATS)}, not as {wanted!r}")
        case ".all", _:
            show(session, None)
        case ".save", chosen:
            if not session.sql:
                raise StoreError("there is no query to save yet")
            print(
                f"saved as {save(session.path, chosen, session.sql)}; run it with: arena sql {chosen}"
            )
        case _:
            raise StoreError(f"there is no command {name}; .help lists them")
    return True


def show(session: Session, most: int | None) -> None:
    """Print the last result, or no more of it than fills so many lines."""
    if (table := session.last) is None:
        raise StoreError("there is no result yet")
    if most is not None and session.format == "json":  # a line for each value, and two for brackets
        most = max(1, most // (len(table.columns) + 2))
    if most is not None and len(table) > most:
        print_result(QueryResult(table.columns, table.rows[:most]), session.format)
        print(f"{most:,} of {len(table):,} rows; .all shows them all")
    else:
        print_result(table, session.format)
        print(f"{len(table):,} row{'' if len(table) == 1 else 's'}")


def rows_that_fit() -> int:
    """How many rows the terminal is high enough for, at least five."""
    return max(5, shutil.get_terminal_size().lines - AROUND_ROWS)


def one_sentence(error: str) -> str:
    """An error of DuckDB in one sentence with its hint, without the query's text that it repeats."""
    return " ".join(
        line.strip() for line in re.split(r"\n+LINE \d+:", error)[0].splitlines() if line.strip()
    )


def is_finished(text: str) -> bool:
    """Whether a text can be run when Enter is pressed: it ends with a semicolon that is part of no text or comment, or is a command."""
    bare = text.strip()
    if not bare or bare.startswith("."):
        return True
    ends = list(LITERALS_AND_COMMENTS.finditer(text))
    if (
        ends
        and ends[-1].end() == len(text)
        and ends[-1].group()[:2] != "--"
        and not any(ends[-1].groups())
    ):
        return False
    return (
        LITERALS_AND_COMMENTS.sub(
            lambda found: " " if found.group()[:2] in ("--", "/*") else "''", text
        )
        .rstrip()
        .endswith(";")
    )


class SqlCompleter(Completer):
    """Completes tables, views, macros, the columns of those that are named, keywords and commands; beside each stands what it means."""

    def __init__(self, found: dict[str, CatalogueEntry]) -> None:
        self.catalogue = found

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """What the word before the cursor may become."""
        before, word = (
            document.text_before_cursor,
            document.get_word_before_cursor(pattern=re.compile(r"[\w.]+")),
        )
        if before.lstrip().startswith("."):
            name, space, rest = before.lstrip().partition(" ")
            yield from (
                prefix_matches(name, COMMANDS.items())
                if not space
                else prefix_matches(rest, self.arguments(name))
            )
            return
        # After a dot stands a column: of a table, or of a short name for one.
        word = word.rpartition(".")[2]
        if word or before.endswith("."):
            named = [
                self.catalogue[name]
                for name in re.findall(r"\w+", document.text)
                if name in self.catalogue
            ]
            columns = {
                column.name: column.comment
                for item in named or self.catalogue.values()
                for column in item.columns
            }
            yield from prefix_matches(word, columns.items())
            if not before[: len(before) - len(word)].endswith("."):
                yield from prefix_matches(
                    word,
                    (
                        (item.call.partition("(")[0], f"{item.kind}: {item.comment}")
                        for item in self.catalogue.values()
                    ),
                )
                yield from prefix_matches(
                    word, ((keyword, "") for keyword in dict.fromkeys(KEYWORDS.split()))
                )

    def arguments(self, name: str) -> Iterable[tuple[str, str]]:
        """What may follow a command."""
        if name == ".schema":
            return [(item.name, item.comment) for item in self.catalogue.values()]
        return [(format, "") for format in FORMATS] if name == ".format" else []


def prefix_matches(word: str, offers: Iterable[tuple[str, str]]) -> Iterator[Completion]:
    """Those offers, (text, meaning), that begin with the word in any case."""
    for text, meaning in offers:
        if text.lower().startswith(word.lower()):
            yield Completion(text, start_position=-len(word), display_meta=meaning)


def lexer() -> Lexer | None:
    """Colours for SQL, where pygments is there."""
    try:
        from pygments.lexers.sql import SqlLexer
    except ImportError:
        return None
    return PygmentsLexer(SqlLexer)


def history() -> History:
    """The queries of earlier times, in a file that only its user may read; of this time alone where it cannot be written."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    file = state / "peer-arena" / "sql_history"
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600))
        file.chmod(0o600)
        return FileHistory(file)
    return InMemoryHistory()
