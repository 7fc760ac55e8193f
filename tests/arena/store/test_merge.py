"""Merging stores: rows that agree are joined, disputed episodes stay as they are here."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from arena.cli.main import main
from arena.errors import RefusedError, StoreError
from arena.exports.tables import export
from arena.imports.formats import import_format
from arena.play.run import Arena, RunSelection
from arena.store import connection
from arena.store.database import create, journal_folder
from arena.store.journal import line, write_journal
from arena.store.merge import merge
from arena.types import Request
from tests.fake_agents import agent, study

TURNS = "select seat, step, text from turns order by all"


def whole(request: Request) -> str:
    return f"A {request.seed}|50"


def half(request: Request) -> str:
    if request.place.step == 1:
        raise RefusedError("enough")
    return whole(request)


@pytest.mark.slow
def test_the_rest_of_an_episode_that_was_begun_here_is_taken_in(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "a.duckdb", tmp_path / "b.duckdb"
    # One function for both: of another one under its name nothing would be continued.
    refusing = [True]
    half_or_whole = study(agent(reply=lambda r: half(r) if refusing else whole(r)), subjects=1)
    for path in (ours, theirs):
        Arena(path).run(half_or_whole)
    refusing.clear()
    Arena(theirs).run(half_or_whole, selection=RunSelection(retry_failed=True))
    new, disputed = merge(ours, theirs)
    assert new > 0
    assert disputed == 0
    assert Arena(ours).sql(TURNS) == Arena(theirs).sql(TURNS)
    assert Arena(ours).sql("select status from episodes").rows == (("done",),)
    assert merge(ours, theirs) == (0, 0)


@pytest.mark.slow
def test_two_plays_of_one_episode_never_become_a_third(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "a.duckdb", tmp_path / "b.duckdb"
    Arena(ours).run(study(agent(reply=half), subjects=1))
    Arena(theirs).run(study(agent(reply=lambda r: f"B {r.seed}|50"), subjects=1))
    before = Arena(ours).sql(TURNS)
    assert merge(ours, theirs)[1] == 1
    assert Arena(ours).sql(TURNS) == before


@pytest.mark.slow
def test_what_is_about_another_play_of_an_episode_is_left_out(tmp_path: Path) -> None:
    """Of "debate" each store has its own words; "other" was played there alone."""
    ours, theirs = tmp_path / "a.duckdb", tmp_path / "b.duckdb"
    for path, words in ((ours, "here"), (theirs, "there")):
        create(path)
        with duckdb.connect(path) as con:
            con.execute(
                "insert into turns (episode, seat, step, text) values ('debate', 'a', 0, ?)",
                [words],
            )
            con.execute("insert into plays (episode) values ('debate')")
    with duckdb.connect(theirs) as con:
        con.execute("""
            insert into subjects (subject, kind, source) values
                ('motion', 'debate', null), ('read', 'debate', 'debate'),
                ('reply', 'replies', 'judging/judge/0'), ('of other', 'debate', 'other');
            insert into plays (episode, subject, parent) values
                ('other', 'motion', null), ('judging', 'read', null), ('aside', null, 'debate'),
                ('aside of judging', null, 'judging'), ('scoring', null, null),
                ('scoring that failed', 'reply', null), ('judging of other', 'of other', null);
            insert into rulings (episode, judge, debate) values
                ('judging', 'j', 'debate'), ('judging of other', 'j', 'other');
            insert into scores (scoring, episode, seat, step, name) values
                ('scoring', 'aside', 's', 0, 'n'), ('judging of other', 'other', 's', 0, 'n');
            """)
    assert merge(ours, theirs)[1] == 1
    with duckdb.connect(ours) as con:
        plays = con.execute("select episode from plays order by all").fetchall()
        assert plays == [("debate",), ("judging of other",), ("other",)]
        assert con.execute("select episode from rulings").fetchall() == [("judging of other",)]
        assert con.execute("select scoring from scores").fetchall() == [("judging of other",)]
        assert con.execute("select text from turns").fetchall() == [("here",)]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (duckdb.IOException("IO Error: Could not write all bytes to file"), "the disk is full"),
        (duckdb.InternalException("INTERNAL Error: x"), "INTERNAL Error: x"),
    ],
)
def test_what_fails_in_a_store_is_not_said_of_the_one_that_is_merged_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: duckdb.Error, said: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    ours, theirs = tmp_path / "a.duckdb", tmp_path / "b.duckdb"
    create(ours)
    create(theirs)
    monkeypatch.setattr(connection, "refresh_views", fail)
    with pytest.raises(StoreError) as raised:
        merge(ours, theirs)
    assert f"{theirs} cannot be merged into {ours}: {said}" in str(raised.value)


def test_a_store_is_not_merged_into_itself(tmp_path: Path) -> None:
    create(tmp_path / "a.duckdb")
    with pytest.raises(StoreError, match="into itself"):
        merge(tmp_path / "a.duckdb", tmp_path / "a.duckdb")


def test_a_folder_of_exported_tables_is_merged_as_a_store(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "a.duckdb", tmp_path / "b.duckdb"
    Arena(theirs).run(study(agent(), subjects=1))
    export(theirs, tmp_path / "tables", "parquet")
    create(ours)
    assert merge(ours, tmp_path / "tables")[0] > 0
    assert Arena(ours).sql(TURNS) == Arena(theirs).sql(TURNS)
    assert merge(ours, theirs) == (0, 0)


@pytest.mark.slow
def test_a_hundred_stores_are_merged_in_one_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.duckdb"
    create(empty)
    stores = [tmp_path / f"{number:03d}.duckdb" for number in range(100)]
    for number, store in enumerate(stores):
        store.write_bytes(empty.read_bytes())
        play = {"episode": f"e{number}", "study": "s"}
        turn = {"episode": f"e{number}", "seat": "a", "step": 0, "text": f"text {number}"}
        lines = [line("plays", play), line("turns", turn)]
        journal_folder(store).mkdir()
        write_journal(journal_folder(store) / "20260101T000000-x.jsonl", lines)
    together = tmp_path / "all.duckdb"
    words = ["merge", *map(str, stores), "--db", str(together)]
    assert main([*words[:-2], str(tmp_path / "none.duckdb"), *words[-2:]]) == 2
    assert not together.exists(), "nothing is merged where one store is missing"
    assert main(words) == 0
    assert "(100 of 100)" in capsys.readouterr().out
    found = Arena(together).sql("select count(*), count(distinct text) from turns").rows
    assert found == ((100, 100),)


@pytest.mark.parametrize("old", [False, True])
def test_a_merge_keeps_the_simulated_mark_and_each_source_of_imports(
    tmp_path: Path, old: bool
) -> None:
    """Two stores have imported plays of one study, the second simulated ones, a third others."""
    real, made_up, other = (tmp_path / f"{name}.duckdb" for name in "abc")
    for path, words, simulated in ((real, "hi", False), (made_up, "ho", True), (other, "ha", None)):
        play = {"study": "x", "messages": [{"name": "ann", "content": words}]}
        file = tmp_path / f"{words}.json"
        file.write_text(json.dumps(play | {"simulated": simulated}))
        import_format("json", file, path)
    with duckdb.connect(other) as con:
        con.execute("update runs set origin = 'imported from elsewhere'")
    for path in (real, made_up, other) if old else ():
        with duckdb.connect(path) as con:
            con.execute("update runs set run = 'import-x'")
    folder = tmp_path / "tables"
    export(made_up, folder, "parquet")
    for theirs in (made_up, folder):
        path = tmp_path / f"{theirs.stem}-all.duckdb"
        create(path)
        for source in (real, theirs, other):
            merge(path, source)
        assert Arena(path).sql("select simulated, origin from studies").rows == (
            (True, "imported from elsewhere; imported from json"),
        )
        assert merge(path, theirs) == (0, 0)
