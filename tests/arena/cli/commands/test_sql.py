"""`arena sql` by name, from a pipe and into a file; saved queries; and `arena schema`."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from arena.cli.main import main
from arena.errors import StoreError
from arena.play.run import Arena
from arena.store.catalogue import read_catalogue
from arena.store.saved_queries import SavedQuery, read_saved_queries, save
from arena.store.schema import TABLES
from arena.store.views.registry import ALL_VIEWS, CANNED
from tests.fake_agents import agent, study

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Arena("arena.duckdb").run(study(agent(), subjects=1))
    return tmp_path


def ask(capsys: Capsys, *words: str) -> str:
    """What a command prints; it must end well."""
    capsys.readouterr()
    assert main(list(words)) == 0
    return capsys.readouterr().out


def refused(capsys: Capsys, *words: str) -> str:
    """The one sentence of a command that is refused."""
    capsys.readouterr()
    assert main(list(words)) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("name", ["confidence_by_model", "turns", "Both_Sides", " missing; "])
def test_a_lone_word_is_the_name_of_a_table_or_view(here: Path, capsys: Capsys, name: str) -> None:
    bare = name.strip("; ").lower()
    assert ask(capsys, "sql", name, "--format", "csv") == ask(
        capsys, "sql", f"from {bare}", "--format", "csv"
    )


def test_stored_text_cannot_steer_the_terminal(here: Path, capsys: Capsys) -> None:
    save(Path("arena.duckdb"), "evil", "-- \x1b[31mRed?\nselect 1")
    shown = ask(capsys, "sql", "--list") + ask(capsys, "sql", 'select 1 as "\x1b[31m"')
    shown += ask(capsys, "sql", 'select 1 as "\x1b[31m"', "--format", "markdown")
    shown += refused(capsys, "sql", "select ('\x1b[31m' || seat)::integer from turns") + refused(
        capsys, "sql", 'from "\x1b[31m"'
    )
    assert "\x1b" not in shown
    assert shown.count("\N{REPLACEMENT CHARACTER}[31m") >= 5


@pytest.mark.slow
@pytest.mark.parametrize("format", ["csv", "json"])
def test_a_terminal_gets_csv_and_json_without_what_could_steer_it_and_a_pipe_raw(
    here: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    steering = "\x1b]8;;http://evil\x07\x1b[31m\u202eevil\u2066\x9b"
    query = "select $s as s, 'a' || chr(10) || 'b' as lines"
    words = ["sql", query, "-p", f"s={steering}", "--format", format]
    raw = ask(capsys, *words)
    whole = json.loads(raw)[0]["s"] if format == "json" else raw.splitlines()[1]
    assert steering in whole
    master, slave = pty.openpty()
    with os.fdopen(slave, "w", encoding="utf-8") as terminal, os.fdopen(master, "rb") as seen:
        monkeypatch.setattr("sys.stdout", terminal)
        assert main(words) == 0
        terminal.flush()
        shown = os.read(seen.fileno(), 10_000).decode()
    assert not [char for char in shown if not (char.isprintable() or char in "\r\n")]
    assert "evil" in shown
    # Line breaks stay, since both formats quote them.
    assert len(shown.splitlines()) >= 3


@pytest.mark.parametrize("words", [["-p", "a=1"], ["--output", "x.csv"]])
def test_at_a_terminal_no_query_is_waited_for(
    here: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, encoding="utf-8") as terminal, os.fdopen(master):
        monkeypatch.setattr("sys.stdin", terminal)
        assert "there is no query to run" in refused(capsys, "sql", *words)


def test_values_come_as_parameters(here: Path, capsys: Capsys) -> None:
    def rows(*words: str) -> list[str]:
        return ask(capsys, "sql", *words, "--format", "csv").splitlines()[1:]

    assert rows(
        "select seat, count(*) from turns where seat = $s group by 1", "-p", "s=opposition"
    ) == ["opposition,3"]
    # A text is compared with a number as a number, and with a text as a text.
    assert rows("select count(*) from turns where step >= $n", "--parameter", "n=0") == ["6"]
    assert rows("select $a || $b as both", "-p", "a=1=2", "-p", "b=") == ["1=2"]
    assert rows("select $n::integer + 1", "-p", "n=41") == ["42"]
    said = ask(capsys, "sql", "select $a as a", "-p", "a=x'; --", "--output", "one.csv")
    assert said.startswith("wrote one.csv")
    assert Path("one.csv").read_text() == "a\nx'; --\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["select $a"], "the query has $a, and no parameter was given"),
        (["select 1", "-p", "a=1"], "the query has no parameter, and $a was given"),
        (["select $a", "-p", "a"], "given as NAME=VALUE for $NAME, found 'a'"),
        (["select $a", "-p", "=1"], "found '=1'"),
        (["select $a", "--output", "x.csv"], "the query has $a"),
        (["turns", "-p", "a=1"], "the query has no parameter"),
    ],
)
def test_wrong_parameters_are_refused(
    here: Path, capsys: Capsys, words: list[str], said: str
) -> None:
    error = refused(capsys, "sql", *words)
    assert said in error
    assert len(error.splitlines()) == 1


def test_a_spreadsheet_gets_texts_and_no_formulas(here: Path, capsys: Capsys) -> None:
    query = (
        "select '=HYPERLINK(1)' as a, '+1' as b, '-1' as c, '@x' as d, -5 as e, 'x=1' as f,"
        " ['=x'] as g, null::varchar as h, chr(9) || '=1' as i"
    )
    raw = "=HYPERLINK(1),+1,-1,@x,-5,x=1,['=x'],,\t=1"
    plain = "'=HYPERLINK(1),'+1,'-1,'@x,-5,x=1,['=x'],,'\t=1"
    assert ask(capsys, "sql", query, "--format", "csv").splitlines()[1] == raw
    shown = ask(capsys, "sql", query, "--format", "csv", "--spreadsheet")
    assert shown.splitlines()[1] == plain
    ask(capsys, "sql", query, "--output", "raw.csv")
    assert [list(row) for row in csv.reader(io.StringIO(Path("raw.csv").read_text()))][1][0][
        0
    ] == "="
    ask(capsys, "sql", query, "--output", "plain.csv", "--spreadsheet")
    (cells,) = list(csv.reader(io.StringIO(Path("plain.csv").read_text())))[1:]
    assert cells[:6] == ["'=HYPERLINK(1)", "'+1", "'-1", "'@x", "-5", "x=1"]
    assert cells[8] == "'\t=1"


def test_json_holds_every_column_and_no_nan(here: Path, capsys: Capsys) -> None:
    shown = ask(
        capsys,
        "sql",
        "select 1 a, 2 a, ['nan'::double] b, map {date '2020-01-01': 1} m",
        "--format",
        "json",
    )
    assert json.loads(shown, parse_constant=pytest.fail) == [
        {"a": 1, "a_1": 2, "b": [None], "m": {"2020-01-01": 1}}
    ]


def test_a_table_without_studies_says_that_there_are_simulated_ones(
    here: Path, capsys: Capsys
) -> None:
    for words, warns in (
        (["select 1"], True),
        (["select study from turns"], False),
        (["select 1", "--format", "csv"], False),
    ):
        main(["sql", *words])
        assert ("SIMULATED studies are in this store" in capsys.readouterr().err) == warns


def test_an_unknown_name_gets_the_nearest_and_a_macro_its_arguments(
    here: Path, capsys: Capsys
) -> None:
    assert "did you mean vote_splits" in refused(capsys, "sql", "vote_split")
    assert "--list" in refused(capsys, "sql", "zzzzzzzz")
    assert "transcript takes arguments: from transcript(id)" in refused(capsys, "sql", "transcript")


def test_the_list_has_every_question_and_needs_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ask(capsys, "sql", "--list").splitlines()
    assert len(lines) == len(CANNED)
    for (name, canned), shown in zip(CANNED.items(), lines, strict=True):
        assert shown.startswith(name)
        assert shown.endswith(canned.question)


@pytest.mark.slow
def test_a_query_comes_from_a_pipe_or_a_file(
    here: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-m", "arena", "sql", "--format", "csv"]
    piped = subprocess.run(
        command,
        input="select seat, count(*) as n\nfrom turns group by all order by all;\n",
        capture_output=True,
        text=True,
    )
    assert (piped.stdout, piped.stderr) == ("seat,n\nopposition,3\nproposition,3\n", "")
    nothing = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert "there is no query to run; give one, pipe one in" in nothing.stderr
    monkeypatch.setattr("sys.stdin", io.StringIO("both_sides\n"))
    assert ask(capsys, "sql", "--format", "csv").startswith("study,arm,round,phase,debates")


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_a_result_is_written_to_a_file(here: Path, capsys: Capsys, ending: str) -> None:
    assert f"wrote out.{ending}: " in ask(
        capsys, "sql", "select seat, thoughts from turns order by all", "--output", f"out.{ending}"
    )
    assert duckdb.sql(
        f"select count(*), min(seat), count(thoughts) from 'out.{ending}'"
    ).fetchall() == [(6, "opposition", 6)]


def test_a_result_that_cannot_be_written_says_why(here: Path, capsys: Capsys) -> None:
    assert "written as csv, json, parquet, not as 'txt'" in refused(
        capsys, "sql", "turns", "--output", "out.txt"
    )
    assert "cannot write nowhere/out.csv" in refused(
        capsys, "sql", "turns", "--output", "nowhere/out.csv"
    )
    assert not Path("out.txt").exists()


def test_saved_queries_are_listed_and_run_by_name(here: Path, capsys: Capsys) -> None:
    file = save(
        Path("arena.duckdb"),
        "who-spoke",
        "-- Who spoke how often?\nselect seat, count(*) as n from turns group by all order by all",
    )
    assert file == (here / "arena.duckdb.queries" / "who-spoke.sql")
    assert ask(capsys, "sql", "--list").splitlines()[-1].split(maxsplit=1) == [
        "who-spoke",
        "Who spoke how often?",
    ]
    assert (
        ask(capsys, "sql", "who-spoke", "--format", "csv")
        == "seat,n\nopposition,3\nproposition,3\n"
    )
    assert "did you mean who-spoke?" in refused(capsys, "sql", "who-spok")


def test_saving_replaces_only_when_told_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    file = save(path, "q", "select 1")
    with pytest.raises(StoreError, match="there is a query 'q' already"):
        save(path, "q", "select 2")
    assert read_saved_queries(path) == {"q": SavedQuery("", "select 1\n")}
    save(path, "q", "select 2", replace=True)
    assert file.read_text() == "select 2\n"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("name", ["", "A", "a b", "../x", "a.b", "a/b", "é", "x" * 61, "a\n"])
def test_a_query_has_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="a name has 1 to 60 of the characters"):
        save(tmp_path / "a.duckdb", name, "select 1")
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_saved_queries_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    folder = save(path, "good", "  -- Good?\nselect 1").parent
    (folder / "UPPER.sql").write_text("select 1")
    (folder / "binary.sql").write_bytes(b"\xff\xfe\x00")
    (folder / "folder.sql").mkdir()
    (folder / "notes.txt").write_text("notes")
    assert read_saved_queries(path) == {"good": SavedQuery("Good?", "-- Good?\nselect 1\n")}
    for empty in ("", " \n", "x" * 1_000_001):
        with pytest.raises(StoreError, match="cannot be saved"):
            save(path, "empty", empty)


def test_the_schema_lists_everything_and_needs_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = ask(capsys, "schema")
    for name, made in (TABLES | ALL_VIEWS).items():
        assert f"  {name}" in shown
        assert made.comment in shown
    assert ask(capsys, "schema", "--format", "markdown").count("\n| `") == len(TABLES) + len(
        ALL_VIEWS
    )
    assert list(tmp_path.iterdir()) == []


def test_one_table_in_full(here: Path, capsys: Capsys) -> None:
    shown = ask(capsys, "schema", "turns")
    assert "key: episode, seat, step" in shown
    for column, (_, comment) in TABLES["turns"].columns.items():
        assert f"  {column}" in shown
        assert comment in shown
    macro = ask(capsys, "schema", "prompt_of")
    assert macro.startswith("prompt_of(id, reader, reader_step)  (macro)")
    assert "parameter reader_step: its step, from 0" in macro
    assert "  words        VARCHAR  the text, or the public words" in macro


def test_the_schema_as_json_has_types_keys_and_questions(here: Path, capsys: Capsys) -> None:
    everything = {
        item["name"]: item for item in json.loads(ask(capsys, "schema", "--format", "json"))
    }
    assert set(everything) == set(TABLES) | set(ALL_VIEWS)
    assert everything["reliability"]["question"] == "Of those who stated so much, what share won?"
    assert everything["seats"]["key"] == ["episode", "seat"]
    one = json.loads(ask(capsys, "schema", "reliability", "--format", "json"))
    assert one == everything["reliability"]
    assert {column["name"]: column["type"] for column in one["columns"]}["bin"] == "INTEGER"


def test_the_documentation_is_that_of_the_database(here: Path) -> None:
    catalogue = read_catalogue()
    with duckdb.connect("arena.duckdb", read_only=True) as con:
        rows = con.execute(
            "select table_name, column_name, data_type, comment from duckdb_columns() where"
            " not internal"
        ).fetchall()
    here = {
        (item.name, c.name, c.type, c.comment)
        for item in catalogue.values()
        if item.kind != "macro"
        for c in item.columns
    }
    assert {row for row in rows if row[0] != "store_info"} == here


def test_an_unknown_table_gets_the_nearest(here: Path, capsys: Capsys) -> None:
    assert "no table, view or macro 'turn'; did you mean turns" in refused(capsys, "schema", "turn")
    assert "`arena schema` lists them all" in refused(capsys, "schema", "zzzzzz")
