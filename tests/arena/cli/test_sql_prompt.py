"""The prompt of `arena sql`: lines, completion, commands and history, with real keys."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from arena.cli.sql_prompt import (
    Session,
    SqlCompleter,
    history,
    is_finished,
    one_sentence,
    run_line,
    run_prompt,
)
from arena.errors import StoreError
from arena.play.run import Arena
from arena.store.catalogue import read_catalogue
from arena.store.database import query
from arena.store.saved_queries import read_saved_queries
from tests.fake_agents import agent, study

Capsys = pytest.CaptureFixture[str]
ENTER, CTRL_C, CTRL_D = "\r", "\x03", "\x04"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LINES", "12")
    Arena(tmp_path / "a.duckdb").run(study(agent(), subjects=3))
    return tmp_path / "a.duckdb"


@pytest.fixture
def type_in(path: Path, capsys: Capsys) -> Callable[[str], str]:
    """Type these keys at the prompt, then leave; what was printed."""

    def typed(keys: str) -> str:
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            pipe.send_text(keys + CTRL_D)
            capsys.readouterr()
            assert run_prompt(path, "csv") == 0
        return capsys.readouterr().out

    return typed


@pytest.mark.parametrize(
    ("text", "finished"),
    [
        ("", True),
        (".help", True),
        *((words, True) for words in ("help", "exit", "QUIT", "\\q", "\\d", "\\d turns", "\\?")),
        ("help me", False),
        ("exit\nfrom turns", False),
        ("select 1", False),
        ("select 1;", True),
        ("select 1; ", True),
        ("select ';", False),
        ("select ';'", False),
        ("select ';' ;", True),
        ("select 'it''s;", False),
        ("select 1 -- ;", False),
        ("select 1; -- done", True),
        ("select 1 /* ;", False),
        ("select 1 /* ; */", False),
        ('select ";" as "a;";', True),
        ("select '--' as a;", True),
    ],
)
def test_a_query_ends_with_a_semicolon_that_is_part_of_nothing_else(
    text: str, finished: bool
) -> None:
    assert is_finished(text) == finished


@pytest.mark.slow
def test_a_query_may_take_several_lines(type_in: Callable[[str], str]) -> None:
    shown = type_in(
        f"select seat, count(*) as n{ENTER}from turns where public <> ';'{ENTER}group by all"
        f" order by all;{ENTER}"
    )
    assert shown.endswith("seat,n\nopposition,9\nproposition,9\n2 rows\n")
    assert "talks (SIMULATED)" in shown
    assert shown.count("\n  ") == 3


def test_a_lone_name_runs_with_enter(path: Path, type_in: Callable[[str], str]) -> None:
    assert type_in(f"both_sides{ENTER}").splitlines()[-5].startswith("study,arm,round,phase")


def test_ctrl_c_drops_the_line_and_ctrl_d_leaves(type_in: Callable[[str], str]) -> None:
    shown = type_in(f"select 'never'{CTRL_C}select 'this' as a;{ENTER}")
    assert shown.endswith("a\nthis\n1 row\n")
    assert "never" not in shown


@pytest.mark.slow
@pytest.mark.parametrize("word", ["exit", "quit", "\\q", "quit;", "EXIT"])
def test_words_of_other_prompts_leave(type_in: Callable[[str], str], word: str) -> None:
    # A sum that stands in no path of a test.
    assert "6600003" not in type_in(f"{word}{ENTER}select 6600000 + 3;{ENTER}")


@pytest.mark.slow
def test_words_of_other_prompts_work(type_in: Callable[[str], str], path: Path) -> None:
    assert ".tables" in type_in(f"help{ENTER}")
    shown = type_in(f"\\d{ENTER}")
    assert "turns" in shown
    assert shown == type_in(f".schema{ENTER}") == type_in(f"\\dt;{ENTER}")
    assert type_in(f"\\d turns{ENTER}") == type_in(f".schema turns{ENTER}")
    assert "there is no command \\x; .help lists them" in type_in(f"\\x{ENTER}")


def test_an_error_is_one_sentence_and_the_prompt_goes_on(type_in: Callable[[str], str]) -> None:
    *_, error, header, row, count = type_in(
        f"select *{ENTER}from trns;{ENTER}select 1 as a;{ENTER}"
    ).splitlines()
    assert error == (
        "the query failed: Catalog Error: Table with name trns does not exist! Did you mean"
        ' "turns"?'
    )
    assert [header, row, count] == ["a", "1", "1 row"]
    assert (
        one_sentence("the query failed: Binder Error: no\n\nLINE 1: x\n   ^")
        == "the query failed: Binder Error: no"
    )


def test_long_results_are_cut_to_the_terminal_and_shown_whole_when_asked(
    path: Path, capsys: Capsys
) -> None:
    session = Session(path, "csv")
    assert run_line(session, "from turns;")
    shown = capsys.readouterr().out.splitlines()
    assert (len(shown), shown[-1]) == (1 + 7 + 1, "7 of 18 rows; .all shows them all")
    assert run_line(session, ".all")
    assert len(capsys.readouterr().out.splitlines()) == 1 + 18 + 1


def test_commands(path: Path, capsys: Capsys) -> None:
    session = Session(path)
    for line, words in {
        ".help": ".schema",
        ".tables": "who_saw_what",
        ".schema turns": "key: episode, seat, step",
        ".list": "Do longer sides win?",
        "vote_splits;": "0 rows",
        ".format markdown": "",
        "select 1 as a;": "| a |",
        ".save one": "run it with: arena sql one",
        "one;": "| 1 |",
    }.items():
        assert run_line(session, line)
        assert words in capsys.readouterr().out, line
    assert read_saved_queries(path)["one"].sql == "select 1 as a;\n"
    assert not run_line(session, ".quit")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "words"),
    [
        (".format xml", "not as 'xml'"),
        (".nothing", "no command .nothing"),
        (".schema turn", "did you mean turns"),
        (".save x", "no query to save"),
    ],
)
def test_a_command_that_cannot_be_heeded_says_why(path: Path, line: str, words: str) -> None:
    with pytest.raises(StoreError, match=words):
        run_line(Session(path), line)


def offered(text: str) -> dict[str, str]:
    """What is offered at the end of this text, with what stands beside it."""
    completions = SqlCompleter(read_catalogue()).get_completions(Document(text), CompleteEvent())
    return {completion.text: completion.display_meta_text for completion in completions}


def test_completion_knows_names_columns_keywords_and_commands() -> None:
    assert (
        offered("from conf")["confidence_by_model"]
        == "view: Stated confidence of debaters by study, arm, model and phase"
    )
    assert offered("select share from side_bias where share_f")["share_first"].startswith(
        "share of them for the side that stood first"
    )
    assert "asks" not in offered("from side_bias where a")
    assert (
        offered("from turns where as")["asks"]
        == "1, or 2 if something was unreadable and was asked again"
    )
    assert offered("sele") == {"select": ""}
    assert "model" in offered("select t.mo from speeches t where t.mo")
    assert list(offered(".sc")) == [".schema"]
    assert "rise_by_model" in offered(".schema rise")
    assert offered(".format c") == {"csv": ""}
    assert offered("select 1 ") == {}


def test_the_history_is_kept_for_its_user_alone(path: Path, type_in: Callable[[str], str]) -> None:
    type_in(f"select 'kept' as a;{ENTER}")
    file = path.parent / "state" / "peer-arena" / "sql_history"
    assert "select 'kept' as a;" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(history().load_history_strings()) == ["select 'kept' as a;"]


def test_without_a_place_for_the_history_the_prompt_works(
    path: Path, monkeypatch: pytest.MonkeyPatch, type_in: Callable[[str], str]
) -> None:
    (path.parent / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(path.parent / "file"))
    assert type_in(f"select 1 as a;{ENTER}").endswith("a\n1\n1 row\n")


def test_a_store_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        run_prompt(tmp_path / "none.duckdb")


@pytest.mark.slow
def test_in_a_terminal_the_store_is_let_go_between_queries_and_ctrl_c_stops_one(path: Path) -> None:
    """A real terminal: another process may write during the prompt; Ctrl-C ends a query."""
    our_end, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    command = [sys.executable, "-m", "arena", "sql", "--db", str(path)]
    plain = {**os.environ, "PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm"}
    with subprocess.Popen(
        command,
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        env=plain,
        start_new_session=True,
        preexec_fn=take_terminal,
    ) as prompt:
        os.close(its_end)
        try:
            wait_for(our_end, "arena>")
            wait_for(our_end, "42.*arena>", typed="select 40 + 2;\r")
            code = (
                "from pathlib import Path; from arena.store.connection import writing\n"
                f"with writing(Path({str(path)!r}), wait_s=0): print('written')"
            )
            assert (
                subprocess.run(
                    [sys.executable, "-c", code], capture_output=True, text=True, check=True
                ).stdout
                == "written\n"
            )
            os.write(our_end, b"select count(*) from range(100000000000) a, range(100000) b;\r")
            time.sleep(2)
            wait_for(our_end, "stopped.*arena>", typed=CTRL_C)
            os.write(our_end, CTRL_D.encode())
            assert prompt.wait(20) == 0
        finally:
            prompt.kill()
    os.close(our_end)
    assert len(query(path, "from turns")) == 18


def wait_for(terminal: int, words: str, typed: str = "") -> None:
    """Type, and return when a pattern has been shown; fail after a minute."""
    os.write(terminal, typed.encode())
    seen, until = "", time.monotonic() + 60
    while not re.search(words, seen, re.DOTALL):
        assert time.monotonic() < until, seen
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 65536).decode(errors="replace")


def take_terminal() -> None:
    """Make standard input the terminal that Ctrl-C comes from."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
