"""Stores of older versions, and views that another version of the program has made."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from arena.play.run import Arena, RunSelection
from arena.store import database
from arena.store.connection import attach_store, writing
from arena.store.database import create, fold, journal_folder, query, select_rows
from arena.store.journal import line, write_journal
from arena.store.merge import merge
from arena.store.migrations import views_hash
from tests.fake_agents import agent, study

ADDED_IN_2 = {
    "runs": ("estimate", "budget_usd"),
    "seats": ("seeds",),
    "turns": ("logprobs", "sample_key"),
    "unfinished_turns": ("logprobs", "sample_key"),
    "call_starts": ("sent", "worst_usd"),
    "call_ends": ("sent", "worst_usd", "cached_from"),
}


def as_version_1(path: Path) -> None:
    """Remove from a store the columns that version 2 added."""
    with closing(duckdb.connect(str(path))) as con:
        for (view,) in con.execute(
            "select view_name from duckdb_views() where not internal"
        ).fetchall():
            con.execute(f"drop view {view}")
        for table, columns in ADDED_IN_2.items():
            for column in columns:
                con.execute(f"alter table {table} drop column {column}")
        con.execute("alter table rulings rename to verdicts")
        con.execute("create view cost as select 1 as calls")
        con.execute("update store_info set schema_version = 1")


@pytest.mark.slow
def test_an_older_store_is_brought_up_to_date_after_a_copy_and_played_on(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    Arena(path).run(study(subjects=3), selection=RunSelection(limit=2))
    as_version_1(path)
    before = path.read_bytes()
    summary = Arena(path).run(study(subjects=3))
    assert (summary.done, summary.replies) == (3, 6)
    assert (tmp_path / "a.duckdb.backup-v1").read_bytes() == before
    assert Arena(path).sql("select count(*), count(sample_key) from turns").rows == ((18, 6),)
    assert Arena(path).sql("select sum(calls) from cost").rows == ((18,),)
    comments = (
        "select count(*) from duckdb_columns()"
        " where database_name = 'store' and comment is null and table_name <> 'store_info'"
    )
    assert Arena(path).sql(comments).rows == ((0,),)


@pytest.mark.slow
def test_an_older_store_can_be_read_and_merged_and_stays_as_it_is(tmp_path: Path) -> None:
    old, new = tmp_path / "old.duckdb", tmp_path / "new.duckdb"
    Arena(old).run(study())
    as_version_1(old)
    before = old.read_bytes()
    Arena(new).run(study(agent("b")))
    merge(new, old)
    assert Arena(new).sql("select count(*) from turns").rows == ((24,),)
    assert Arena(old).sql("select count(*), count(sample_key) from turns").rows == ((12, 0),)
    assert Arena(old).dry_run(study(repeats=2)).calls == 12
    assert (old.read_bytes(), list(tmp_path.glob("*backup*"))) == (before, [])


def as_version_3(path: Path) -> None:
    """Make a store one of version 3."""
    with writing(path, wait_s=0) as con:
        con.execute(
            "alter table turns drop column public_status; update store_info set schema_version = 3"
        )


ADDED_LATER = {
    "turns": "reasoning_source",
    "answers": "confidence_source",
    "seats": "digest",
    "call_ends": "cache_saved_usd",
    "plays": "change",
}
ADDED_TABLES = (
    *("readings", "reread_answers", "reread_rulings"),
    *("plan_changes", "forgotten", "other_servings"),
    *("registrations", "deviations", "label_entries", "published_numbers"),
    *("images", "batch_plans", "batch_states", "scores"),
)


@pytest.mark.slow
def test_a_store_without_later_tables_and_columns_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    Arena(path).run(study(subjects=1))
    with writing(path, wait_s=0) as con:
        for name in ADDED_TABLES:
            con.execute(f"drop table {name}")
        for name, column in ADDED_LATER.items():
            con.execute(f"alter table {name} drop column {column}")
        con.execute("update store_info set schema_version = 5, views = 'of another version'")
    before = path.read_bytes()
    calls = "select count(*) > 0, count(cache_saved_usd) from calls"
    assert Arena(path).sql(calls).rows == ((True, 0),)
    query = "select count(*), count(confidence), count(reader_version) from ratings"
    assert Arena(path).sql(query).rows == ((6, 6, 0),)
    later = "select count(*), count(fingerprint), count(digest) from turns join seats using"
    assert Arena(path).sql(f"{later} (episode, seat)").rows == ((6, 0, 0),)
    assert (path.read_bytes(), list(tmp_path.glob("*backup*"))) == (before, [])
    create(path)
    assert select_rows(path, "select count(*) from readings").rows == ((0,),)
    assert (tmp_path / "a.duckdb.backup-v5").read_bytes() == before


@pytest.mark.slow
def test_no_other_process_can_write_between_the_copy_and_the_migration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.duckdb"
    create(path)
    as_version_3(path)
    migrate = database.bring_up_to_date
    said = []

    def write_and_migrate(con: duckdb.DuckDBPyConnection) -> None:
        code = f"import duckdb; duckdb.connect({str(path)!r}).execute('create table lost (a int)')"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        said.append(other.stderr)
        migrate(con)

    monkeypatch.setattr(database, "bring_up_to_date", write_and_migrate)
    create(path)
    assert ["Could not set lock" in text for text in said] == [True]
    assert query(path, "select count(public_status) from turns").rows == ((0,),)


@pytest.mark.slow
def test_an_earlier_backup_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    for number in range(3):
        path.unlink(missing_ok=True)
        create(path)
        as_version_3(path)
        with writing(path, wait_s=0) as con:
            con.execute("insert into subjects (subject) values (?)", [str(number)])
        create(path)
    for number, name in enumerate(("backup-v3", "backup-v3-2", "backup-v3-3")):
        with duckdb.connect(str(tmp_path / f"a.duckdb.{name}"), read_only=True) as con:
            assert con.execute("select subject from subjects").fetchall() == [(str(number),)]


@pytest.mark.slow
def test_an_older_store_is_read_through_a_link_with_the_log_that_was_left(tmp_path: Path) -> None:
    path, link = tmp_path / "a.duckdb", tmp_path / "link.duckdb"
    create(path)
    as_version_3(path)
    link.symlink_to(path)
    code = (
        f"import duckdb, os; con = duckdb.connect({str(path)!r})\n"
        "con.execute(\"insert into turns (episode) values ('e')\"); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "a.duckdb.wal").exists()
    assert query(link, "select episode from turns").rows == (("e",),)


def test_why_there_is_no_public_text_is_known_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    create(path)
    turns = [("e", "a", 0, "Said."), ("e", "a", 1, None)]
    rows = [
        line("turns", {"episode": e, "seat": s, "step": k, "public": public})
        for e, s, k, public in turns
    ]
    write_journal(journal_folder(path) / "j.jsonl", rows)
    why = [("read",), ("no readable speech",)]
    assert list(query(path, "select public_status from turns order by step")) == why
    fold(path)
    assert list(query(path, "select public_status from turns order by step")) == why
    as_version_3(path)
    assert list(query(path, "select public_status from turns order by step")) == why


STALE = "create or replace view cost as select 'stale' as model"


@pytest.fixture
def stale(tmp_path: Path) -> Path:
    """A store with a view that another version has made, and with a journal that is not folded."""
    path = tmp_path / "a.duckdb"
    Arena(path).run(study(subjects=1))
    with writing(path, wait_s=0) as con:
        con.execute(f"{STALE}; update store_info set views = 'of another version'")
    write_journal(journal_folder(path) / "z.jsonl", [line("subjects", {"subject": "new"})])
    return path


def stored_views(path: Path) -> tuple[str | None, list[tuple[object, ...]]]:
    """Return the hash that a store holds, and the rows of `cost` that plain DuckDB shows."""
    with attach_store(path) as (con, info):
        return info.views, con.execute("select model from store.cost").fetchall()


@pytest.mark.slow
@pytest.mark.parametrize("ask", [query, select_rows])
def test_a_reader_makes_views_of_another_version_for_itself(
    stale: Path, monkeypatch: pytest.MonkeyPatch, ask: type[query]
) -> None:
    monkeypatch.setattr(database, "up_to_date_path", pytest.fail)
    before = stale.read_bytes()
    assert ask(stale, "select sum(calls), count(distinct model) from cost").rows == ((6, 1),)
    assert ask(stale, "select model from cost where model = 'stale'").rows == ()
    assert ask(stale, "select count(*) from subjects").rows == ((2,),)
    assert stale.read_bytes() == before
    assert stored_views(stale) == ("of another version", [("stale",)])


@pytest.mark.slow
def test_a_process_that_folds_makes_views_of_another_version_anew(stale: Path) -> None:
    assert fold(stale).journals == 1
    views, cost = stored_views(stale)
    assert views == views_hash()
    assert ("stale",) not in cost


@pytest.mark.slow
def test_a_process_that_merges_makes_views_of_another_version_anew(
    stale: Path, tmp_path: Path
) -> None:
    create(tmp_path / "other.duckdb")
    merge(stale, tmp_path / "other.duckdb")
    views, cost = stored_views(stale)
    assert views == views_hash()
    assert ("stale",) not in cost


@pytest.mark.slow
def test_a_store_of_0_1_0_gets_the_hash_of_its_views_when_it_is_written(stale: Path) -> None:
    with writing(stale, wait_s=0) as con:
        con.execute("alter table store_info drop column views")
    assert query(stale, "select count(*) from cost where model = 'stale'").rows == ((0,),)
    assert stored_views(stale)[0] is None
    fold(stale)
    assert stored_views(stale)[0] == views_hash()


def test_views_that_this_program_made_are_not_made_for_each_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    create(path)
    with database.open_live(path) as con:
        views = con.execute("select count(*) from duckdb_views() where database_name = 'temp'")
        assert views.fetchall() == [(0,)]
        assert con.execute("select count(*) from leaderboard").fetchall() == [(0,)]


@pytest.mark.slow
def test_a_store_before_passages_is_read_as_it_is_and_has_them_after_the_next_run(
    tmp_path: Path,
) -> None:
    path = tmp_path / "eleven.duckdb"
    Arena(path).run(study(subjects=2), selection=RunSelection(limit=1))
    with closing(duckdb.connect(str(path))) as con:
        views = "select view_name from duckdb_views() where not internal"
        for (view,) in con.execute(views).fetchall():
            con.execute(f"drop view {view}")
        for column in ("passage", "published"):
            con.execute(f"alter table subjects drop column {column}")
        con.execute("update store_info set schema_version = 11, views = 'of another version'")
    shown = "select count(*), count(passage), count(published) from subjects"
    assert Arena(path).sql(shown).rows == ((1, 0, 0),)
    assert Arena(path).run(study(subjects=2)).done == 2
    assert Arena(path).sql(shown).rows == ((2, 0, 0),)
    with closing(duckdb.connect(str(path), read_only=True)) as con:
        assert con.execute("select schema_version from store_info").fetchone() == (12,)
