"""The store: tables and comments, folding, and reading what is not folded yet."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import orjson
import pytest

from arena.errors import StoreError
from arena.play.run import Arena
from arena.store import database, folding, unfolded
from arena.store.checksums import seal
from arena.store.connection import writing
from arena.store.database import create, fold, journal_folder, query
from arena.store.durable import WINDOWS
from arena.store.journal import first_line, line, write_journal
from arena.store.schema import SCHEMA_VERSION, TABLES
from arena.store.tempdir import scratch
from arena.store.views.registry import VIEWS
from tests.fake_agents import agent, study

PROMISED_TABLES = [
    "studies",
    "episodes",
    "seats",
    "subjects",
    "turns",
    "saw",
    "calls",
    "verdicts",
    "answers",
    "routes",
    "measures",
]
PROMISED_VIEWS = [
    "confidence_by_round",
    "both_sides",
    "outcomes",
    "leaderboard",
    "flips",
    "cost",
    "missing",
    "accuracy",
    "who_saw_what",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create(tmp_path / "a.duckdb")
    return tmp_path / "a.duckdb"


def put(path: Path, name: str, *subjects: str, torn: bytes = b"", old: bool = False) -> Path:
    """Write a journal as a killed run leaves it: a row for each subject, and a torn end.

    An `old` one is of version 4, which has no checksums.
    """
    file = journal_folder(path) / f"{name}.jsonl"
    rows = [{"t": "subjects", "subject": s, "kind": "motion", "text": s} for s in subjects]
    if old:
        lines = [
            orjson.dumps(row) + b"\n" for row in ({"t": "journal", "schema_version": 4}, *rows)
        ]
    else:
        lines = [first_line(), *(seal(orjson.dumps(row)) for row in rows)]
    file.write_bytes(b"".join((*lines, torn)))
    return file


def subjects(path: Path) -> list[str]:
    return [row[0] for row in query(path, "select subject from subjects order by 1")]


@pytest.mark.slow
def test_every_promised_table_and_view_answers(path: Path) -> None:
    for name in (*PROMISED_TABLES, *PROMISED_VIEWS, *TABLES, *VIEWS):
        assert len(query(path, f"from {name}")) == 0
    with duckdb.connect(str(path), read_only=True) as con:
        for name in (*PROMISED_TABLES, *PROMISED_VIEWS):
            assert con.execute(f"from {name}").fetchall() == []


def test_every_table_view_and_column_has_a_comment(path: Path) -> None:
    with duckdb.connect(str(path), read_only=True) as con:
        bare = con.execute(
            "select table_name, column_name from duckdb_columns()"
            " where comment is null and not internal and table_name <> 'store_info'"
        ).fetchall()
        tables = con.execute(
            "select count(*) from duckdb_tables()"
            " where comment is null and table_name <> 'store_info'"
        ).fetchone()
    assert bare == []
    assert tables == (0,)


@pytest.mark.skipif(WINDOWS, reason="Windows has no such permissions")
@pytest.mark.parametrize(
    ("store", "folder", "expected"),
    [
        (0o600, None, 0o700),
        (0o660, None, 0o770),
        (0o640, None, 0o750),
        (0o444, None, 0o755),
        (0o600, 0o755, 0o700),
        (0o640, 0o777, 0o770),
        (0o644, 0o700, 0o700),
        (0o644, 0o2775, 0o2775),
    ],
)
def test_the_journals_of_a_store_are_open_to_nobody_who_cannot_read_it(
    tmp_path: Path, store: int, folder: int | None, expected: int
) -> None:
    path, journals = tmp_path / "a.duckdb", tmp_path / "a.duckdb.journal"
    path.write_bytes(database.empty_store())
    path.chmod(store)
    if folder is not None:
        journals.mkdir()
        journals.chmod(folder)
    create(path)
    assert journals.stat().st_mode & 0o7777 == expected


def test_a_store_that_finds_no_room_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(draft: Path, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(database.durable, "name_new", full)
    with pytest.raises(StoreError, match=r"cannot make .*: the disk is full .*; free space and"):
        create(tmp_path / "a.duckdb")


def test_folding_twice_changes_nothing(path: Path) -> None:
    put(path, "j1", "a", "b", "a")
    put(path, "j2", "b", "c")
    assert fold(path).journals == 2
    assert fold(path).journals == 0
    assert subjects(path) == ["a", "b", "c"]


def test_what_is_not_folded_reads_like_what_is(path: Path) -> None:
    put(path, "j1", "a", "b")
    fold(path)
    put(path, "j2", "b", "c")
    assert subjects(path) == ["a", "b", "c"]
    with duckdb.connect(str(path), read_only=True) as con:
        assert con.execute("select count(*) from subjects").fetchone() == (2,)


def test_a_torn_last_line_is_dropped_and_counted(path: Path) -> None:
    put(path, "j1", "a", torn=b'{"t":"subjects","subject":"b","te')
    assert subjects(path) == ["a"]
    folding = fold(path)
    assert (folding.journals, folding.skipped) == (1, 1)
    assert subjects(path) == ["a"]


def grow(file: Path, *subjects: str, torn: bytes = b"") -> None:
    """Append to a journal as a run does."""
    with file.open("ab") as journal:
        journal.writelines(
            [
                *(line("subjects", {"subject": s, "kind": "motion", "text": s}) for s in subjects),
                torn,
            ]
        )


def test_a_process_that_reads_again_sees_what_a_journal_has_grown_by(path: Path) -> None:
    journal = put(path, "j1", "a", "b")
    assert subjects(path) == ["a", "b"]
    grow(journal, "b", "c")
    put(path, "j2", "d", "a")
    assert subjects(path) == ["a", "b", "c", "d"]


def test_half_a_line_is_read_when_its_other_half_is_there(path: Path) -> None:
    whole = line("subjects", {"subject": "b", "kind": "motion", "text": "b"})
    journal = put(path, "j1", "a", torn=whole[:30])
    assert subjects(path) == ["a"]
    grow(journal, torn=whole[30:])
    assert subjects(path) == ["a", "b"]


def test_a_journal_is_parsed_once_however_often_a_process_reads(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    insert = unfolded.insert_new

    def watched(
        con: duckdb.DuckDBPyConnection,
        parts: dict[str, unfolded.TableLines],
        into: str,
        *,
        databases: tuple[str, ...],
    ) -> list[str]:
        counts.extend(part.lines for part in parts.values())
        return insert(con, parts, into, databases=databases)

    monkeypatch.setattr(unfolded, "insert_new", watched)
    journal = put(path, "j1", *"abc")
    assert subjects(path) == subjects(path) == ["a", "b", "c"]
    grow(journal, "d")
    assert subjects(path) == ["a", "b", "c", "d"]
    assert counts == [3, 1]


def test_what_is_folded_between_two_readings_is_not_read_twice(path: Path) -> None:
    put(path, "j1", "a", "b")
    assert subjects(path) == ["a", "b"]
    fold(path)
    assert subjects(path) == ["a", "b"]
    journal = put(path, "j2", "b", "c")
    assert subjects(path) == ["a", "b", "c"]
    journal.unlink()
    assert subjects(path) == ["a", "b"]


def test_a_long_line_of_a_running_study_is_read_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unfolded, "PIECE_BYTES", 100)
    put(path, "j1", "a", "x" * 1000, "b")
    assert subjects(path) == ["a", "b", "x" * 1000]


def test_journals_that_are_folded_in_groups_count_one_by_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "FOLD_GROUP_BYTES", 200)
    for number in range(5):
        put(path, f"j{number}", "a", f"only {number}", torn=b"{" * (number == 3))
    assert fold(path) == folding.FoldResult(5, 1)
    assert subjects(path) == ["a", *(f"only {number}" for number in range(5))]
    assert query(path, "select journal, skipped from folded order by 1").rows == tuple(
        (f"j{n}.jsonl", int(n == 3)) for n in range(5)
    )


def test_each_journal_of_a_group_has_its_own_count_of_unreadable_lines(path: Path) -> None:
    put(path, "j1", "a", "a", torn=b'{"t":"subjects","subject":"torn', old=True)
    put(path, "j2", "a", "b", old=True)
    put(
        path,
        "j3",
        "b",
        old=True,
        torn=b'{"t":"turns","episode":\n\n \n{"subject":"no table"}\n[1]\n{"t":null}\n'
        b'{"t":"of a later arena"}\n\xff',
    )
    assert fold(path) == folding.FoldResult(3, 6)
    assert query(path, "select skipped from folded order by journal").rows == ((1,), (0,), (5,))
    assert subjects(path) == ["a", "b"]


def test_a_line_that_is_written_in_another_way_is_a_row_too(path: Path) -> None:
    put(
        path,
        "j1",
        old=True,
        torn=b'{ "t": "subjects", "subject": "a" }\r\n{"subject":"b","t":"subjects"}\n'
        b'{"t":"subjects" ,"subject":"c"}\n{"t":"nothing"}',
    )
    assert subjects(path) == ["a", "b", "c"]
    assert fold(path) == folding.FoldResult(1, 0)
    assert subjects(path) == ["a", "b", "c"]


def test_the_first_of_two_lines_with_one_key_counts(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        line("subjects", {"subject": "a", "text": text}) for text in ("first", "second", "third")
    ]
    write_journal(journal_folder(path) / "j1.jsonl", rows[:2])
    write_journal(journal_folder(path) / "j2.jsonl", rows[2:])
    for together in (1, folding.FOLD_GROUP_BYTES):
        monkeypatch.setattr(folding, "FOLD_GROUP_BYTES", together)
        assert query(path, "select text from subjects").rows == (("first",),)
        fold(path)


def test_rows_under_a_tables_former_name_are_folded(path: Path) -> None:
    lines = [
        line(table, {"episode": episode, "winner": "abstain"})
        for table, episode in (("verdicts", "e1"), ("rulings", "e2"), ("verdicts", "e2"))
    ]
    write_journal(journal_folder(path) / "j1.jsonl", lines)
    assert query(path, "select episode from rulings order by 1").rows == (("e1",), ("e2",))
    fold(path)
    assert query(path, "select episode from rulings order by 1").rows == (("e1",), ("e2",))


def test_what_waits_on_disk_while_it_is_folded_is_removed(path: Path) -> None:
    # An error that an earlier test met may keep a folder of its own for a while.
    before = {*scratch().iterdir()}
    put(path, "j1", "a")
    fold(path)
    put(path, "j2", "b", torn=b"{")
    assert (subjects(path), fold(path).skipped) == (["a", "b"], 1)
    unfolded.PARSED_JOURNALS.clear()
    assert [file for file in {*scratch().iterdir()} - before if file.is_dir()] == []


def test_a_fold_that_fails_leaves_nothing_of_any_journal(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "FOLD_GROUP_BYTES", 1)
    put(path, "j1", "a")
    newer = put(path, "j2")
    newer.write_bytes(line("journal", {"schema_version": SCHEMA_VERSION + 1}))
    assert "newer arena" in str(fold(path).put_off)
    newer.unlink()
    assert query(path, "select count(*) from folded").rows == ((0,),)
    assert subjects(path) == ["a"]


def test_long_texts_are_kept_as_zstd(path: Path) -> None:
    with duckdb.connect(str(path), read_only=True) as con:
        [(made,)] = con.execute(
            "select sql from duckdb_tables() where table_name = 'turns'"
        ).fetchall()
    assert len(query(path, "from turns")) == 0
    assert all(
        f"{column} VARCHAR USING COMPRESSION ZSTD" in made.replace(chr(34), "")
        for column in ("text", "public", "thoughts")
    )


@pytest.mark.slow
def test_a_long_line_is_read_whole(path: Path) -> None:
    put(path, "j1", "x" * 20_000_000)
    assert fold(path).skipped == 0
    assert query(path, "select length(text) from subjects").rows == ((20_000_000,),)


def test_hostile_text_comes_back_as_it_was(path: Path) -> None:
    words = "'; drop table turns; -- \x00\x1b[31m\u202e</script>\u2028é\U0001f600"
    put(path, "j1", words)
    fold(path)
    assert subjects(path) == [words]


def test_a_reader_who_keeps_the_file_delays_only_the_folding(path: Path) -> None:
    put(path, "j1", "a")
    code = (
        f"import duckdb; c = duckdb.connect({str(path)!r}, read_only=True);"
        " print('open', flush=True); input()"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "open\n"
        folding = fold(path, wait_s=0.1)
        assert folding.put_off is not None
        assert str(reader.pid) in folding.put_off
        assert subjects(path) == ["a"]
    finally:
        reader.communicate("\n", timeout=10)
    assert fold(path).journals == 1


def test_a_newer_store_is_refused_and_left_alone(path: Path) -> None:
    with writing(path, wait_s=0) as con:
        con.execute("update store_info set schema_version = ?", [SCHEMA_VERSION + 1])
    before = path.read_bytes()
    for use in (create, lambda p: query(p, "select 1"), fold):
        if use is fold:
            put(path, "j1", "a")
            assert "newer arena" in str(fold(path).put_off)
            continue
        with pytest.raises(StoreError, match="newer arena"):
            use(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.duckdb").write_text("not a database")
    with pytest.raises(StoreError, match="cannot open"):
        create(tmp_path / "text.duckdb")
    duckdb.connect(str(tmp_path / "other.duckdb")).close()
    with pytest.raises(StoreError, match="not an arena store"):
        create(tmp_path / "other.duckdb")


def test_a_wrong_query_says_what_is_wrong(path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        query(path, "select * from trns")


def test_a_missing_store_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="run or import a study first"):
        query(tmp_path / "none.duckdb", "select 1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_folded_record_equals_the_live_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.duckdb"
    with monkeypatch.context() as patch:
        patch.setattr(database, "fold", lambda *a, **k: folding.FoldResult())
        Arena(path).run(study(agent(), subjects=3))
    views = {
        name: query(path, f"from {name} order by all").rows
        for name in (*VIEWS, "turns", "seats", "subjects", "runs")
    }
    assert fold(path).journals == 1
    for name, rows in views.items():
        assert query(path, f"from {name} order by all").rows == rows, name
    assert len(views["turns"]) == 18


@pytest.mark.slow
def test_threads_of_one_process_take_turns(path: Path) -> None:
    put(path, "j0", "a")

    def work(number: int) -> int:
        put(path, f"j{number}", f"s{number}")
        return fold(path).journals + len(query(path, "from subjects"))

    with ThreadPoolExecutor(8) as threads:
        assert min(threads.map(work, range(1, 17))) > 0
    assert len(subjects(path)) == 17


def test_a_link_to_a_store_has_the_journals_of_the_store(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link.duckdb").symlink_to(path)
    put(tmp_path / "link.duckdb", "j1", "a")
    assert subjects(path) == ["a"] == subjects(tmp_path / "link.duckdb")


def test_a_store_is_made_where_a_link_leads(tmp_path: Path) -> None:
    link = tmp_path / "link.duckdb"
    link.symlink_to(tmp_path / "a.duckdb")
    create(link)
    assert link.is_symlink()
    assert (tmp_path / "a.duckdb").is_file()
    assert query(link, "select count(*) from turns").rows == ((0,),)


def test_a_query_can_change_nothing(path: Path, tmp_path: Path) -> None:
    put(path, "j1", "a")
    fold(path)
    other = tmp_path / "other.csv"
    for sql in (
        f"copy (select 1) to '{other}'",
        f"attach '{tmp_path / 'x.duckdb'}' as x",
        "drop table store.subjects",
        "delete from store.subjects",
    ):
        with pytest.raises(StoreError, match="the query failed"):
            query(path, sql)
    assert not other.exists()
    assert subjects(path) == ["a"]
    with pytest.raises(StoreError, match="no query"):
        query(path, " -- nothing")


def test_a_journal_of_a_newer_arena_is_left_alone(path: Path) -> None:
    (journal_folder(path) / "j.jsonl").write_bytes(
        b'{"t":"journal","schema_version":99}\n{"t":"subjects","subject":"a"}\n'
    )
    assert "newer arena (schema version 99)" in str(fold(path).put_off)
    with pytest.raises(StoreError, match="newer arena"):
        subjects(path)


def test_a_vote_without_confidence_decides_no_sum(path: Path) -> None:
    votes = [("v1", "opposition", 0.9), ("v2", "proposition", None)]
    debate = {"debate": "d", "status": "read"}
    lines = [line("plays", {"episode": e, "study": "s"}) for e in ("d", "v1", "v2")]
    lines += [
        line("statuses", {"episode": e, "status": "done", "ended_at": "2026-01-01"})
        for e in ("d", "v1", "v2")
    ]
    lines += [
        line("rulings", {"episode": e, "judge": e, "winner": w, "confidence": c, **debate})
        for e, w, c in votes
    ]
    write_journal(journal_folder(path) / "j.jsonl", lines)
    fold(path)
    assert query(
        path, "select majority, confidence_sum, without_confidence from outcomes"
    ).rows == (("tie", None, 1),)


@pytest.mark.slow
def test_a_disk_that_fills_while_the_store_is_made_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    for limit in (20_000, 60_000, 100_000, 200_000):
        code = (
            "import resource; from pathlib import Path; from arena.store.database import create;"
            f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}));"
            f"create(Path({str(path)!r}))"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
        )
        assert "StoreError: cannot" in ended.stderr, (limit, ended.stderr)
        assert not path.exists()
        assert list(journal_folder(path).glob("new-*")) == []
    create(path)
    assert subjects(path) == []
