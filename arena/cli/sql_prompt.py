"""Run the prompt of `arena sql`: queries over several lines, completion with meanings, a history.

Each query runs as `Arena.sql` does, so that the store is free between queries, and a run may write
to it.  Left out: editing results, and everything but reading.
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
from arena.store import catalogue
from arena.store.database import query, select_rows
from arena.store.names import is_name, list_lines, sql_of
from arena.store.result import QueryResult
from arena.store.saved_queries import save
from arena.text import printable

KEYWORDS = (
    "select from where group by order by having limit join left join using on and or not in is"
    " null as distinct count sum avg min max round case when then else end with union all filter"
    " over partition by qualify desc describe summarize between like"
)
COMMANDS = {
    ".tables": "list tables, views and macros",
    ".schema": "NAME: describe one of them in full",
    ".list": "list the queries that can be run by name",
    ".all": "show all rows of the last result",
    ".format": f"set the format of results: {', '.join(FORMATS)}",
    ".save": "NAME: save the last query beside the store, to run it by name",
    ".help": "list these commands",
    ".quit": "leave, as Ctrl-D does",
}
# What people type who know other prompts.
OTHER_WORDS = {
    "help": ".help",
    "\\?": ".help",
    "\\h": ".help",
    "exit": ".quit",
    "quit": ".quit",
    "\\q": ".quit",
    "\\d": ".schema",
    "\\dt": ".tables",
    "\\l": ".list",
}
EXAMPLES = """\
  confidence_by_round;
  select model, phase, round(100 * mean, 1) as percent, n from confidence_by_model;
  select study, judge, share_proposition, share_first from side_bias;"""
# Texts, quoted names and comments may hold a semicolon or a quotation mark of their own.  One that
# is not closed runs to the end of the query, and its group is empty.
LITERALS_AND_COMMENTS = re.compile(
    r"'(?:[^']|'')*('|\Z)|\"(?:[^\"]|\"\")*(\"|\Z)|--[^\n]*(\n|\Z)|/\*.*?(\*/|\Z)", re.S
)
# Lines of the terminal for the heading of a result, its note and the prompt.
AROUND_ROWS = 5


@dataclass(slots=True)
class Session:
    """The state of the prompt between lines: store, format, and the last query with its result."""

    path: Path
    format: str = "table"
    sql: str = ""
    last: QueryResult | None = None


def run_prompt(path: Path, format: str = "table") -> int:
    """Read queries and answer them until the user leaves; return the exit status.

    Raises StoreError if there is no store.
    """
    session = Session(path, format)
    greet(path)

    def is_unfinished() -> bool:
        """Return whether Enter begins a new line instead of running the text."""
        text = get_app().current_buffer.text
        return not (is_finished(text) or is_name(path, text))

    prompt: PromptSession[str] = PromptSession(
        history=history(),
        completer=SqlCompleter(catalogue.read_catalogue()),
        lexer=lexer(),
        multiline=Condition(is_unfinished),
        prompt_continuation="   ...> ",
    )
    while True:
        try:
            line = prompt.prompt("arena> ")
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
    """Print the store's name, its studies, and how to begin."""
    studies = select_rows(path, "select study, simulated from studies").rows
    names = [
        printable(study) + (" (SIMULATED)" if simulated else "") for study, simulated in studies
    ]
    print(f"{path}: {', '.join(names) or 'nothing yet'}")
    print(
        "End a query with a semicolon, a single name with Enter; .help lists commands, .list"
        " queries that can be run by name."
    )
    print(f"For example:\n{EXAMPLES}")


def run_line(session: Session, line: str) -> bool:
    """Run a line, which is a command or a query; return whether to go on.

    Raises StoreError if it cannot be run.
    """
    if (command := command_of(line)) is not None:
        return run_command(session, *command.split(maxsplit=1))
    if line.strip("; \n"):
        session.sql = sql_of(session.path, line)
        session.last = query(session.path, session.sql)
        show(session, rows_that_fit())
    return True


def command_of(line: str) -> str | None:
    """Return the command of a line, also where other prompts call it otherwise; None for SQL."""
    words = line.strip().rstrip(";").split(maxsplit=1)
    if not words:
        return None
    name = words[0].lower()
    # Words with a backslash take arguments: \d turns.
    if name in OTHER_WORDS and (len(words) == 1 or name.startswith("\\")):
        return " ".join([OTHER_WORDS[name], *words[1:]])
    return " ".join(words) if name.startswith((".", "\\")) else None


def run_command(session: Session, name: str, argument: str = "") -> bool:
    """Run a command; return whether to go on.

    Raises StoreError if there is no such command, or it cannot be run.
    """
    match name, argument.strip():
        case ((".quit" | ".exit"), _):
            return False
        case ".help", _:
            print("\n".join(f"  {name:<9} {meaning}" for name, meaning in COMMANDS.items()))
        case (".tables", _) | (".schema", ""):
            # The last line names `arena schema NAME`, which is .schema here.
            print("\n".join(catalogue.overview_lines()[:-1]))
        case ".list", _:
            print("\n".join(list_lines(session.path)))
        case ".schema", entry:
            print("\n".join(catalogue.detail_lines(catalogue.find_entry(entry))))
        case ".format", format if format in FORMATS:
            session.format = format
        case ".format", format:
            raise StoreError(f"results are shown as {', '.join(FORMATS)}, not as {format!r}")
        case ".all", _:
            show(session, None)
        case ".save", name_of_query:
            if not session.sql:
                raise StoreError("there is no query to save yet")
            file = save(session.path, name_of_query, session.sql)
            print(f"saved as {file}; run it with: arena sql {name_of_query}")
        case _:
            raise StoreError(f"there is no command {name}; .help lists them")
    return True


def show(session: Session, most: int | None) -> None:
    """Print the last result, cut to `most` lines unless that is None.

    Raises StoreError if there is no result yet.
    """
    table = session.last
    if table is None:
        raise StoreError("there is no result yet")
    if most is not None and session.format == "json":
        # JSON takes a line for each value of a row, and two for its brackets.
        most = max(1, most // (len(table.columns) + 2))
    if most is not None and len(table) > most:
        print_result(table.head(most), session.format)
        print(f"{most:,} of {len(table):,} rows; .all shows them all")
    else:
        print_result(table, session.format)
        print(f"{len(table):,} row{'' if len(table) == 1 else 's'}")


def rows_that_fit() -> int:
    """Return how many rows fit into the terminal, at least five."""
    return max(5, shutil.get_terminal_size().lines - AROUND_ROWS)


def one_sentence(error: str) -> str:
    """Return an error of DuckDB in one sentence with its hint, without the quoted query."""
    words = re.split(r"\n+LINE \d+:", error)[0]
    return " ".join(line.strip() for line in words.splitlines() if line.strip())


def is_finished(text: str) -> bool:
    """Return whether Enter runs a text: it is empty, a command, or ends with a semicolon.

    A semicolon inside of a text or comment does not count.
    """
    bare = text.strip()
    if not bare or command_of(bare) is not None:
        return True
    matches = list(LITERALS_AND_COMMENTS.finditer(text))
    if matches:
        last = matches[-1]
        # A comment of one line needs no mark that closes it.
        is_open = not any(last.groups()) and last.group()[:2] != "--"
        if is_open and last.end() == len(text):
            return False

    def blank(match: re.Match[str]) -> str:
        return " " if match.group()[:2] in ("--", "/*") else "''"

    return LITERALS_AND_COMMENTS.sub(blank, text).rstrip().endswith(";")


class SqlCompleter(Completer):
    """A completer of tables, views, macros, columns, keywords and commands, with their meanings.

    Columns are those of the tables that the query names, or of all tables while it names none.
    """

    def __init__(self, entries: dict[str, catalogue.CatalogueEntry]) -> None:
        self.entries = entries

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """Yield the completions of the word before the cursor."""
        before = document.text_before_cursor
        if before.lstrip().startswith("."):
            name, space, rest = before.lstrip().partition(" ")
            if space:
                yield from prefix_matches(rest, self.arguments(name))
            else:
                yield from prefix_matches(name, COMMANDS.items())
            return
        # After a dot comes a column: of a table, or of an alias.
        word = document.get_word_before_cursor(pattern=re.compile(r"[\w.]+")).rpartition(".")[2]
        if not word and not before.endswith("."):
            return
        yield from prefix_matches(word, self.columns(document.text).items())
        if not before.removesuffix(word).endswith("."):
            for item in self.entries.values():
                # Macros are completed without their parameters.
                offer = (item.call.partition("(")[0], f"{item.kind}: {item.comment}")
                yield from prefix_matches(word, [offer])
            yield from prefix_matches(word, dict.fromkeys(KEYWORDS.split(), "").items())

    def columns(self, text: str) -> dict[str, str]:
        """Return the meaning of each column that may stand in a query."""
        words = re.findall(r"\w+", text)
        named = [self.entries[word] for word in words if word in self.entries]
        return {
            column.name: column.comment
            for item in named or self.entries.values()
            for column in item.columns
        }

    def arguments(self, name: str) -> Iterable[tuple[str, str]]:
        """Return the arguments of a command, each with its meaning."""
        if name == ".schema":
            return [(item.name, item.comment) for item in self.entries.values()]
        return [(format, "") for format in FORMATS] if name == ".format" else []


def prefix_matches(word: str, offers: Iterable[tuple[str, str]]) -> Iterator[Completion]:
    """Yield the offers, (text, meaning), that begin with the word in any case."""
    for text, meaning in offers:
        if text.lower().startswith(word.lower()):
            yield Completion(text, start_position=-len(word), display_meta=meaning)


def lexer() -> Lexer | None:
    """Return colours for SQL, None if pygments is not installed."""
    try:
        from pygments.lexers.sql import SqlLexer
    except ImportError:
        return None
    return PygmentsLexer(SqlLexer)


def history() -> History:
    """Return the history of queries, in a file that only its user can read.

    If the file cannot be written, the history lasts as long as the prompt.
    """
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    file = state / "peer-arena" / "sql_history"
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Created with its mode, so that it is at no time readable by others.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600))
        file.chmod(0o600)
        return FileHistory(file)
    return InMemoryHistory()
