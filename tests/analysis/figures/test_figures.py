"""Figures' numbers are those of the report and of their queries; filters, labels, links, errors."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from agents import agent
from analysis.figures.registry import NAMES, DebateFilter, Figure, figure, figures, svg
from analysis.reports.debates import report
from arena import Arena, run_stages
from arena.cli.main import main
from arena.errors import StudyError
from arena.store.database import open_live, query
from protocols.judging import jury
from tests.analysis.conftest import Add, AddPlays

# Whole stores are played and reported here, which takes seconds.
pytestmark = pytest.mark.slow

CUP = "it's a cup"
HOSTILE = "<script>alert(1)&\"'\u202e"
JUDGED = {"ratings": [(60, 70, 80), (55, 65, 85)], "votes": [("proposition", 0.9)]}
TIE = {
    "ratings": [(60, 70, 80), (55, "no rating tag", 75)],
    "votes": [("proposition", 0.9), ("opposition", 0.9)],
}


@pytest.fixture(scope="module")
def of_cup(cup: Path) -> dict[str, Figure]:
    """Every figure of the debates, by name."""
    return {each.name: each for each in figures(cup, CUP)}


@pytest.fixture(scope="module")
def of_answers(cup: Path) -> dict[str, Figure]:
    """Every figure of the answers, by name."""
    return {each.name: each for each in figures(cup, "self_agreement")}


def agree(path: Path, *found: Figure) -> None:
    """Fail unless the query of each figure gives its rows."""
    with open_live(path) as con:
        for each in found:
            asked = con.execute(each.sql)
            names = [column[0] for column in asked.description or ()]
            same_rows(each, [dict(zip(names, row, strict=True)) for row in asked.fetchall()])


def same_rows(found: Figure, rows: list[dict[str, Any]]) -> None:
    """Fail unless these are the figure's rows, the same in every column that both have."""
    common = sorted(set(rows[0]) & set(found.rows[0]))
    assert len(common) >= 2

    def key(row: dict[str, Any]) -> list[Any]:
        return [
            (value is not None, round(value, 9) if isinstance(value, float) else value)
            for value in (row[name] for name in common)
        ]

    ours, theirs = (sorted((key(row) for row in some), key=str) for some in (found.rows, rows))
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        for (_, a), (_, b) in zip(mine, other, strict=True):
            assert a == b or math.isclose(a, b, abs_tol=1e-9)


FILTERS = [
    DebateFilter(arm="plain"),
    DebateFilter(model="sim/confident", phase="closing"),
    DebateFilter(outcome="proposition"),
    DebateFilter(arm="rounds", outcome="opposition"),
]


@pytest.mark.parametrize("where", FILTERS, ids=lambda where: " ".join(where.active_filters()))
def test_filtered_queries_give_the_numbers_of_figures(cup: Path, where: DebateFilter) -> None:
    found = figures(cup, CUP, where=where)
    assert len(found) >= 6
    agree(cup, *(each for each in found if each.name != "strength"))


def test_queries_give_the_numbers_of_figures(
    cup: Path, of_cup: dict[str, Figure], of_answers: dict[str, Figure]
) -> None:
    assert query(cup, of_cup["leaderboard"].sql).dicts()
    agree(
        cup, *(each for each in (*of_cup.values(), *of_answers.values()) if each.name != "strength")
    )


def test_queries_go_by_motion(cup: Path, of_cup: dict[str, Figure]) -> None:
    [subject] = query(
        cup, "select subject from subjects where text = 'This house would count to 2.'"
    ).rows[0]
    found = figure(cup, CUP, "confidence", where=DebateFilter(subject=subject))
    agree(cup, found)
    assert 0 < found.rows[0]["n"] < of_cup["confidence"].rows[0]["n"] / 3


def test_a_phase_that_comes_twice_is_the_same_phase_in_the_query(add: Add) -> None:
    path = add(
        "s",
        *[
            {
                "phases": ("opening", "rebuttal", "rebuttal"),
                "ratings": [(60, 70, 80 + n), (50, 55, 75)],
            }
            for n in range(3)
        ],
    )
    found = figure(path, "s", "confidence")
    assert [row["phase"] for row in found.rows] == [
        "opening",
        "rebuttal, round 1",
        "rebuttal, round 2",
    ]
    agree(path, found, figure(path, "s", "rise"))


def test_numbers_are_those_of_the_report(
    cup: Path, of_cup: dict[str, Figure], of_answers: dict[str, Figure]
) -> None:
    [told] = report(cup, CUP)
    assert [row["mean"] for row in of_cup["confidence"].rows] == [
        row["mean"] for row in told["phases"]
    ]
    assert [row["ci_high"] for row in of_cup["confidence"].rows] == [
        row["ci_high"] for row in told["phases"]
    ]
    rises = {row["contestant"]: (row["rise"], row["ci_low"]) for row in of_cup["rise"].rows}
    assert rises == {
        row["contestant"]: (row["rise"], row["rise_ci_low"]) for row in told["contestants"]
    }
    wins = {row["contestant"]: row["win_rate"] for row in of_cup["leaderboard"].rows}
    assert wins == {row["contestant"]: row["win_rate"] for row in told["contestants"]}
    sure = of_cup["both_sides"].rows[-1]
    assert sure == {name: told["both"][name] for name in sure}
    assert "of other debates of the same 3 models" in of_cup["confidence"].caption
    [solved] = report(cup, "self_agreement")
    assert [row["ci_low"] for row in of_answers["accuracy"].rows] == [
        arm["ci_low"] for arm in solved["answers"]["arms"]
    ]


def test_reliability_is_by_bins_closed_on_the_right_without_ties(add: Add) -> None:
    found = figure(add("s", JUDGED, JUDGED, TIE), "s", "reliability")
    assert [(row["above"], row["up_to"], row["n"], row["share"]) for row in found.rows] == [
        (0.7, 0.8, 2, 1.0),
        (0.8, 0.9, 2, 0.0),
    ]
    assert "1 tie" in found.caption


def test_every_figure_says_what_it_shows_and_is_drawn(
    of_cup: dict[str, Figure], of_answers: dict[str, Figure]
) -> None:
    drawn = of_answers | of_cup
    # That of estimators is drawn where replies were scored: tests/analysis/reports.
    assert set(drawn) == set(NAMES) - {"estimators"}
    for each in drawn.values():
        assert each.chart["title"]["text"] == each.title
        assert "SIMULATED" in each.caption
        picture = ElementTree.fromstring(svg(each.chart))
        assert "SIMULATED" in "".join(picture.itertext())
        assert 300 < float(picture.attrib["width"]) < 325
        assert (
            "Missing" in each.caption
            or "missing" in each.caption
            or "Left out" in each.caption
            or "unreadable" in each.caption
        )
        json.dumps(each.rows, allow_nan=False)


def test_a_study_of_models_is_not_called_simulated_but_for_its_jury(
    add: Add, solve: AddPlays
) -> None:
    path = add("s", JUDGED, JUDGED)
    assert "SIMULATED" not in figure(path, "s", "reliability").caption
    assert "SIMULATED" not in figure(path, "s", "confidence").caption
    add("s", JUDGED, simulated=True)
    assert "SIMULATED" in figure(path, "s", "confidence").caption


def test_real_debates_with_a_simulated_jury_are_marked_where_the_jury_counts(add: Add) -> None:
    path = add("s", *[{"ratings": JUDGED["ratings"]}] * 3)
    played = jury("made up", "s", [agent("sim/judge")], orders=["as played"])
    run_stages(Arena(path), [played])
    assert "SIMULATED" in figure(path, "s", "leaderboard").caption
    captions = {each.name: each.caption for each in figures(path, "s")}
    assert "SIMULATED" in captions["reliability"]
    assert "SIMULATED" not in captions["confidence"]


def test_what_is_missing_is_the_view_as_shares(cup: Path, of_cup: dict[str, Figure]) -> None:
    found = of_cup["missing"]
    view = query(
        cup,
        "select what, phase, reason, sum(n) as n from missing where study = ? group by all",
        [CUP],
    ).dicts()
    assert {(row["what"], row["phase"], row["reason"]): row["n"] for row in found.rows} == {
        (row["what"], row["phase"], row["reason"]): row["n"] for row in view
    }
    asked = dict(
        query(
            cup,
            "select phase, count(*) from turns join episodes using (episode) where study = ?"
            " group by all",
            [CUP],
        ).rows
    )
    of_phases = {row["phase"]: row["of"] for row in found.rows if row["phase"] in asked}
    assert of_phases
    assert of_phases == {phase: asked[phase] for phase in of_phases}


def test_what_was_not_started_is_missing_of_what_was_planned(tmp_path: Path) -> None:
    path, file = (
        tmp_path / "a.duckdb",
        Path(__file__).resolve().parents[3] / "experiments" / "two_llms_debate.py",
    )
    assert main(["run", str(file), "-o", "preset=self", "--limit", "2", "--db", str(path)]) == 0
    found = figure(path, "two_llms_debate_self", "missing")
    rows = {row["reason"]: row for row in found.rows}
    planned = query(path, "select max(planned) from runs").rows[0][0]
    assert (rows["not started"]["n"], rows["not started"]["of"]) == (planned - 2, planned)
    agree(path, found)


def test_at_most_300_debaters_are_drawn_and_the_caption_says_so(add: Add) -> None:
    path = add("s", *[{"ratings": [(50 + n % 40, 60, 70), (55, 60, 65)]} for n in range(160)])
    found = figure(path, "s", "confidence", links=True)
    assert "300 debaters drawn at random of 320" in found.caption
    picture = svg(found.chart)
    assert picture.count("<a ") == 300
    assert len(picture) < 120_000


def test_marks_link_to_debates_only_when_asked(cup: Path, of_cup: dict[str, Figure]) -> None:
    episodes = {row[0] for row in query(cup, "select episode from episodes").rows}
    for name in ("confidence", "both_sides"):
        assert "/debate/" not in svg(of_cup[name].chart)
        links = [
            value
            for link in ElementTree.fromstring(svg(figure(cup, CUP, name, links=True).chart)).iter(
                "{http://www.w3.org/2000/svg}a"
            )
            for value in link.attrib.values()
        ]
        assert {link.removeprefix("/debate/") for link in links} <= episodes
        assert links


def test_without_single_ratings_no_debater_is_drawn(cup: Path, of_cup: dict[str, Figure]) -> None:
    found = figure(cup, CUP, "confidence", single_ratings=False)
    assert "were private" in found.caption
    assert found.rows == of_cup["confidence"].rows
    with pytest.raises(StudyError, match="private"):
        figure(cup, CUP, "both_sides", single_ratings=False)


def test_hostile_names_stay_text_in_pictures_and_queries(add: Add) -> None:
    path = add(
        HOSTILE, *[JUDGED | {"models": (HOSTILE, "m/b'; drop table turns; --"), "arm": HOSTILE}] * 2
    )
    found = figures(path, HOSTILE, where=DebateFilter(arm=HOSTILE, model=HOSTILE))
    for each in found:
        picture = svg(each.chart)
        tags = {
            element.tag.rpartition("}")[2] for element in ElementTree.fromstring(picture).iter()
        }
        assert tags <= {"svg", "g", "path", "text", "tspan", "line", "rect"}
        assert "\u202e" not in picture + each.caption + each.title
    agree(path, *(each for each in found if each.name != "strength"))


def test_one_debate_has_no_intervals(add: Add) -> None:
    found = figure(add("s", JUDGED), "s", "confidence")
    assert [row["ci_low"] for row in found.rows] == [None] * 3
    assert svg(found.chart).startswith("<svg")


def test_a_model_without_a_rating_in_a_phase_leaves_the_others_in(add: Add) -> None:
    mute = {"ratings": [(60, 70, "no rating tag"), (55, 65, 75)], "models": ("m/mute", "m/b")}
    found = figure(
        add("s", mute, mute), "s", "confidence_by_model", where=DebateFilter(phase="closing")
    )
    assert {row["contestant"]: (row["n"], row["missing"], row["mean"]) for row in found.rows} == {
        "m/b": (2, 0, 0.75),
        "m/mute": (0, 2, None),
    }
    assert "closing 2" in found.caption
    assert svg(found.chart)


@pytest.mark.parametrize(
    ("name", "where", "words"),
    [
        ("nothing", DebateFilter(), "there are: confidence, "),
        (
            "confidence",
            DebateFilter(arm="nowhere"),
            "no finished debate with a rating with arm nowhere",
        ),
        ("confidence", DebateFilter(phase="encore"), "there are: opening, rebuttal, closing"),
        ("rise", DebateFilter(phase="opening"), "two phases"),
        ("accuracy", DebateFilter(), "no answers"),
        ("leaderboard", DebateFilter(), "judged debates between two contestants"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(
    add: Add, name: str, where: DebateFilter, words: str
) -> None:
    path = add("s", {"ratings": JUDGED["ratings"]})
    with pytest.raises(StudyError, match=words):
        figure(path, "s", name, where=where)


def test_unknown_studies_and_outcomes_are_errors(add: Add) -> None:
    path = add("s", JUDGED)
    for name in ("confidence", "accuracy", "missing", "strength"):
        with pytest.raises(StudyError, match="elsewhere"):
            figure(path, "elsewhere", name)
    with pytest.raises(StudyError, match="not judged"):
        DebateFilter(outcome="a draw")


def test_drawing_is_loaded_when_something_is_drawn() -> None:
    code = (
        "import sys, analysis.figures; assert not {'altair', 'vl_convert', 'pandas'} &"
        " set(sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode
        == 0
    )
