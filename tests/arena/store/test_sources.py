"""Several stores and folders of Parquet files in one query: each row says where it comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from arena.cli.main import main
from arena.errors import StoreError
from arena.exports.tables import export
from arena.play.run import Arena
from arena.store.database import journal_folder
from arena.store.journal import line, write_journal
from arena.store.result import QueryResult
from arena.store.sources import MOST_PLANNED, open_sources
from tests.fake_agents import agent, study


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A store of the study "one", one of "two", and the first as a folder of Parquet files."""
    folder = tmp_path_factory.mktemp("sources")
    stores = []
    for name in ("one", "two"):
        path = folder / f"{name}.duckdb"
        Arena(path).run(replace(study(agent(), subjects=2), name=name))
        stores.append(path)
    export(stores[0], folder / "tables", "parquet")
    return [*stores, folder / "tables"]


def ask(places: list[Path], sql: str) -> QueryResult:
    with open_sources(places, sql) as sources:
        return sources.query(sql)


def test_each_row_of_tables_and_views_says_where_it_comes_from(places: list[Path]) -> None:
    one, two, tables = map(str, places)
    plays = ask(places, "select store, study, count(*) from episodes group by all order by all")
    assert plays.rows == ((one, "one", 2), (tables, "one", 2), (two, "two", 2))
    texts = "select text from turns where store = '{}' order by all"
    assert ask(places, texts.format(one)).rows == ask(places, texts.format(tables)).rows
    views = ask(places, "select distinct store from seat_turns order by all")
    assert views.rows == ((one,), (tables,), (two,))


def test_a_macro_answers_from_every_store(places: list[Path]) -> None:
    ((episode,),) = Arena(places[0]).sql("select min(episode) from episodes").rows
    found = ask(places, f"select store, count(*) from transcript('{episode}') group by all")
    assert {row[0] for row in found.rows} == {str(places[0]), str(places[2])}


def test_many_stores_give_the_rows_that_few_give(places: list[Path], tmp_path: Path) -> None:
    links = []
    for number in range(MOST_PLANNED + 1):
        copy = tmp_path / f"{number}.duckdb"
        copy.write_bytes(places[0].read_bytes())
        links.append(copy)
    ((rows,),) = Arena(places[0]).sql("select count(*) from seat_turns").rows
    found = ask(links, "select store, count(*) from seat_turns group by all")
    assert sorted(found.rows) == [(str(link), rows) for link in links]


def test_rows_that_are_not_folded_yet_are_there(places: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "live.duckdb"
    copy.write_bytes(places[0].read_bytes())
    turn = {"episode": "new", "seat": "a", "step": 0, "phase": "p", "public": "said"}
    journal_folder(copy).mkdir()
    write_journal(journal_folder(copy) / "20260101T000000-x.jsonl", [line("turns", turn)])
    found = ask([copy, places[1]], "select store, public from turns where episode = 'new'")
    assert found.rows == ((str(copy), "said"),)


def test_a_query_reaches_no_other_file(places: list[Path], tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for sql in (f"from read_text('{secret}')", f"copy (select 1) to '{tmp_path / 'x.csv'}'"):
        with pytest.raises(StoreError):
            ask(places, sql)


def test_the_command_takes_stores_and_folders(
    places: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    stores = [word for place in places for word in ("--db", str(place))]
    sql = "select store, count(*) as n from episodes group by all order by all"
    assert main(["sql", sql, *stores, "--format", "csv"]) == 0
    out, error = capsys.readouterr()
    assert out.splitlines()[1:] == sorted(f"{place},2" for place in places)
    assert "2 episodes in several of these stores" in error


def test_what_is_no_store_is_refused_in_a_sentence(places: list[Path], tmp_path: Path) -> None:
    for wrong, words in (
        ([tmp_path / "none.duckdb"], "there is no store at"),
        ([tmp_path], "is a folder without store_info.json"),
        ([places[0], places[0]], "is named twice"),
    ):
        with pytest.raises(StoreError, match=words):
            ask(wrong, "select 1")


def test_duckdb_alone_makes_all_views_of_the_folder(
    places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(places[2])
    with duckdb.connect() as con:
        con.execute((places[2] / "views.sql").read_text())
        rows = con.execute("select study, count(*) from episodes group by all").fetchall()
        turns = "select study, count(*) > 0 from 'turns/**/*.parquet' group by all"
        assert con.execute(turns).fetchall() == [("one", True)]
    assert rows == [("one", 2)]
