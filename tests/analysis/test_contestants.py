"""Three personas of one model, and one model at two temperatures, really played and judged.

They are different contestants in SQL, in the report, in rank and on the pages.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from agents import agent
from analysis.read.selection import Selection, open_selected
from analysis.reports.comparison import compare
from analysis.reports.debates import StudyReport
from arena import (
    Agent,
    Arena,
    Arm,
    Sampling,
    Study,
    Subject,
    against_itself,
    round_robin,
    run_stages,
)
from arena.cli.main import main
from arena.errors import StudyError
from arena.web.pages import PAGES
from arena.web.site import Site
from protocols.debate import debate
from protocols.judging import jury

# Whole stores are played and reported here, which takes seconds.
pytestmark = pytest.mark.slow

MOTIONS = [Subject(f"This house would count to {n}.") for n in range(2)]
COLD, HOT = "sim/even [temperature 0.0]", "sim/even [temperature 1.0]"


def persona(name: str, system: str, temperature: float | None = None) -> Agent:
    """Return an agent of one simulated model."""
    return agent("sim/even", name=name, system=system, sampling=Sampling(temperature=temperature))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with the studies "personas" and "heat", both judged."""
    arena = Arena(tmp_path_factory.mktemp("contestants") / "a.duckdb", concurrency=64)
    cast = [persona(name, f"You are {name}.") for name in ("Ann", "Bob", "Cy")]
    personas = Study(
        "personas", [Arm("all", debate, [*round_robin(cast), *against_itself(cast[:1])])], MOTIONS
    )
    heats = [persona("sim/even", "", temperature) for temperature in (0.0, 1.0)]
    heat = Study("heat", [Arm("all", debate, round_robin(heats))], MOTIONS)
    jurors = [agent("sim/judge:seed=1")]
    for study in (personas, heat):
        run_stages(arena, [study, jury(f"{study.name} jury", study, jurors)])
    return arena.path


def test_labels_name_what_differs_and_nothing_else(store: Path) -> None:
    sql = "select study, contestant, model from agents where not judges order by all"
    assert list(Arena(store).sql(sql).rows) == [
        ("heat", COLD, "sim/even"),
        ("heat", HOT, "sim/even"),
        ("personas", "Ann", "sim/even"),
        ("personas", "Bob", "sim/even"),
        ("personas", "Cy", "sim/even"),
    ]


def test_views_tell_contestants_apart_and_know_who_met_itself(store: Path) -> None:
    alone = "select distinct contestant from {} where against_itself"
    for view in ("ratings", "first_and_last", "debaters"):
        assert Arena(store).sql(alone.format(view)).rows == (("Ann",),)
        seen = Arena(store).sql(f"select distinct contestant from {view} where study = 'heat'")
        assert sorted(name for (name,) in seen.rows) == [COLD, HOT]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(models=("Ann,Bob",)), {"personas": 6}),
        (Selection(models=("sim/even",), arms=("all",)), {"personas": 14, "heat": 4}),
        (Selection(models=(HOT, COLD)), {"heat": 4}),
        (Selection(where="study = 'heat' -- a comment"), {"heat": 4}),
    ],
)
def test_a_selection_is_one_filter_of_debates_and_their_judgings(
    store: Path, selection: Selection, expected: dict[str, int]
) -> None:
    with open_selected(store, selection) as (con, chosen):
        found = con.execute("select study, count(*) from debates group by all").fetchall()
        judged = con.execute("select count(*) from verdicts").fetchall()
        rated = con.execute("select count(distinct episode) from ratings").fetchall()
    assert dict(found) == expected
    assert judged == [(2 * sum(expected.values()),)]
    assert rated == [(sum(expected.values()),)]
    assert {study: chosen[study].chosen for study in expected} == expected
    assert chosen["personas"].episodes == 14


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        ({"models": ("Dora",)}, "no model, agent or contestant 'Dora'; there are: Ann, Bob"),
        ({"arms": ("none",)}, "no arm 'none'; there are: all"),
        ({"where": "true); select (1"}, "--where cannot be read"),
        ({"where": "colour = 1"}, "--where does not fit.*colour"),
        ({"where": "(select count(*) from read_text('/etc/passwd')) > 0"}, "--where does not fit"),
        ({"by": "house"}, "by must be one of agent, model, setting"),
    ],
)
def test_a_wrong_selection_is_refused_in_words(
    store: Path, selection: dict[str, object], words: str
) -> None:
    with (
        pytest.raises(StudyError, match=words),
        open_selected(store, Selection(**selection)),  # type: ignore[arg-type]  # wrong on purpose
    ):
        pass


def rows_of(found: StudyReport) -> dict[str, int]:
    """Return the number of rated seats of each contestant of a report."""
    assert found.debates is not None
    return {row.contestant: row.n for row in found.debates.contestants}


def test_a_report_tells_contestants_apart_and_says_what_it_pools(store: Path) -> None:
    heat, personas = Arena(store).report("heat"), Arena(store).report("personas")
    assert rows_of(heat.results[0]) == {COLD: 4, HOT: 4}
    assert rows_of(personas.results[0]) == {"Ann": 12, "Bob": 8, "Cy": 8}
    # Only Ann met itself: other personas of the model could be right at other than 50%.
    assert heat.json()[0]["against_half"] is None
    assert personas.json()[0]["against_half"][0]["debates"] == 2
    pooled = Arena(store).report("personas", by="model")
    assert rows_of(pooled.results[0]) == {"sim/even": 28}
    assert "By model: sim/even pools 3 contestants (Ann, Bob, Cy)." in str(pooled)
    # A model in which an agent beat another has won nothing.
    assert pooled.json()[0]["contestants"][0]["win_rate"] is None
    assert set(rows_of(Arena(store).report("heat", by="setting").results[0])) == {
        "temperature 0.0",
        "temperature 1.0",
    }


def test_a_filtered_report_says_so_and_counts_the_same_debates_as_sql(store: Path) -> None:
    told = Arena(store).report("personas", models=["Ann", "Bob"], where="repeat = 0")
    assert rows_of(told.results[0]) == {"Ann": 8, "Bob": 4}
    assert "Of 14 episodes 6 chosen: --models Ann,Bob --where repeat = 0." in str(told)
    assert "not started" not in str(told)
    with pytest.raises(StudyError, match="no such debates: Of 14 episodes 0 chosen"):
        Arena(store).report("personas", where="repeat = 7")


def test_rank_tells_contestants_apart(store: Path) -> None:
    standings = Arena(store).rank("personas")
    assert {row.agent for row in standings.results[0].contestants} == {"Ann", "Bob", "Cy"}
    assert {row.agent for row in Arena(store).rank("heat").results[0].contestants} == {COLD, HOT}
    chosen = Arena(store).rank(models=["Ann", "Bob"])
    assert [result.study for result in chosen.results] == ["personas"]
    assert "Of 14 episodes 6 chosen" in str(chosen)


def test_pages_tell_contestants_apart_and_take_the_filters(store: Path) -> None:
    pages = {kind: make for kind, _, make in PAGES}
    site = Site(store, private=True)
    listed = pages["study"](site, "heat", {}).content
    assert {row["proposition"] for row in listed.rows} == {COLD, HOT}
    assert [
        len(pages["study"](site, "heat", {"model": who}).content.rows) for who in (HOT, "x")
    ] == [
        4,
        0,
    ]
    report = pages["report"](site, "personas", {"by": "model", "models": "Ann,Bob"}).content
    assert report.document.warnings[:2] == (
        "Of 14 episodes 6 chosen: --models Ann,Bob.",
        "By model: sim/even pools 2 contestants (Ann, Bob).",
    )


def test_comparisons_match_by_contestant_and_adjust_all_tests_of_debates(store: Path) -> None:
    by_agent = compare(store, "personas", "heat")
    assert by_agent["debates"]["pairs"] == 0
    by_model = compare(store, "personas", "heat", by="model")
    debates = by_model["debates"]
    assert debates["pairs"] == 2
    assert "personas, by model: sim/even pools Ann, Bob, Cy." in by_model["notes"]
    tests = [*debates["phases"], debates["rise"]]
    assert all(row["p_holm"] is None or row["p_holm"] >= row["p"] for row in tests)
    assert min(row["p_holm"] for row in tests) == pytest.approx(
        min(1, len(tests) * min(row["p"] for row in tests))
    )


def test_exports_are_filtered_too(store: Path, tmp_path: Path) -> None:
    command = ["export", "--db", str(store), "--models", "Ann,Bob"]
    assert main([*command, str(tmp_path / "csv"), "--format", "csv"]) == 0
    with (tmp_path / "csv" / "seats.csv").open() as file:
        debaters = {row["agent"] for row in csv.DictReader(file) if row["seat"] != "judge"}
    assert debaters == {"Ann", "Bob"}
    assert main([*command, str(tmp_path / "pairs"), "--format", "pairwise"]) == 0
    with (tmp_path / "pairs" / "pairwise.csv").open() as file:
        pairs = {(row["model_a"], row["model_b"]) for row in csv.DictReader(file)}
    assert pairs == {("Ann", "Bob"), ("Bob", "Ann")}
