"""Three personas of one model, and one model at two temperatures, really played and judged: they are
different contestants in SQL, in the report, in rank and on the pages.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import agent
from analysis.read.selection import Selection, open_selected
from arena import Agent, Arena, Arm, Sampling, Study, Subject, against_itself, round_robin, run_stages
from arena.errors import StudyError
from protocols.debate import debate
from protocols.judging import jury

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
