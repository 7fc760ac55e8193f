"""What Python users hold: reports, ranks and figures as the commands show them, and faces."""

from __future__ import annotations

import base64
import html
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agents import agent
from analysis.reports.debates import StudyReport
from analysis.reports.standings import Standings
from arena import Arena, Arm, Study, Subject, Summary, round_robin, run_stages
from arena.cli.main import main
from arena.errors import StudyError
from arena.play import run
from protocols.debate import debate
from protocols.judging import jury

Capsys = pytest.CaptureFixture[str]
HOSTILE = "<script>alert(1)</script>"
TAGS = {
    *("table", "thead", "tbody", "tr", "th", "td", "p", "small", "b", "i", "h3", "h4"),
    *("details", "summary", "figure", "figcaption", "img"),
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Arena, Study, Summary]:
    """A judged study whose names are markup."""
    arena = Arena(tmp_path_factory.mktemp("arena") / "a.duckdb")
    models = [agent("sim/modest", name=HOSTILE), agent("sim/confident", name="<b>bold</b>")]
    study = Study(
        f"cup {HOSTILE}",
        [Arm("<i>arm</i>", debate, round_robin(models))],
        [Subject(f"This house would count to {n} {HOSTILE}.") for n in range(3)],
    )
    judging = jury("jury", study, [agent("sim/judge:seed=1", name="<u>judge</u>")])
    summaries = run_stages(arena, [study, judging])
    return arena, study, summaries[0]


def printed(capsys: Capsys, *words: str) -> str:
    """What a command prints."""
    capsys.readouterr()
    assert main(list(words)) == 0
    return capsys.readouterr().out.strip()


def assert_no_markup(page: str) -> None:
    """No tag of a model's, a user's or a study's text is in the page, but the texts are."""
    tags = set(re.findall(r"<\s*/?\s*([a-z0-9]+)", page))
    assert tags <= TAGS
    assert HOSTILE not in page
    assert "<b>bold" not in page
    assert html.escape(HOSTILE) in page


@pytest.mark.slow
def test_a_report_is_what_the_command_prints(
    played: tuple[Arena, Study, Summary], capsys: Capsys
) -> None:
    arena, study, _ = played
    for report in (arena.report(), arena.report(study), arena.report(study.name)):
        assert isinstance(report.results[0], StudyReport)
        assert len(report) == 1
        assert list(report) == list(report.results)
        assert str(report) == printed(capsys, "report", "--db", str(arena.path))
        assert_no_markup(report._repr_html_())
    details = arena.report(details=True)
    assert str(details) == printed(capsys, "report", "--db", str(arena.path), "--details")
    # All of it stands in the command's JSON.
    assert details.json() == json.loads(
        printed(capsys, "report", "--db", str(arena.path), "--json")
    )
    page = arena.report(study)._repr_html_()
    assert "SIMULATED" in page
    for block in arena.report().documents[0].blocks:
        assert html.escape(block.title) in page


def test_ranks_are_what_the_command_prints(
    played: tuple[Arena, Study, Summary], capsys: Capsys
) -> None:
    arena, study, _ = played
    ranks = arena.rank()
    assert isinstance(ranks.results[0], Standings)
    assert str(ranks) == str(arena.rank(study)) == printed(capsys, "rank", "--db", str(arena.path))
    assert_no_markup(ranks._repr_html_())
    words = ("rank", "--db", str(arena.path), "--jury", "jury", "--exclude-related", "--json")
    assert arena.rank(study, jury="jury", exclude_related=True).json() == json.loads(
        printed(capsys, *words)
    )


async def test_reports_work_in_a_running_event_loop(played: tuple[Arena, Study, Summary]) -> None:
    arena, study, summary = played
    assert arena.report(study).results[0].study == study.name
    assert len(arena.sql("from turns")) > 0
    assert arena.run(study).replies == 0
    assert arena.dry_run(study).calls == 0
    assert summary.done == 6


@pytest.mark.slow
def test_a_figure_shows_its_picture_and_its_caption(played: tuple[Arena, Study, Summary]) -> None:
    arena, study, _ = played
    figure = arena.figure("confidence", study)
    page = figure._repr_html_()
    assert_no_markup(page)
    match = re.search(r'src="data:image/png;base64,([^"]+)"', page)
    assert match
    assert base64.b64decode(match[1]).startswith(b"\x89PNG")
    assert figure.png().startswith(b"\x89PNG")
    assert figure.svg().startswith("<svg")
    assert "SIMULATED" in page
    assert repr(figure).startswith("<Figure confidence: ")
    assert len(repr(figure)) < 2_000
    assert figure.chart["title"]
    with pytest.raises(StudyError, match="there is no figure 'confidenc'; there are: confidence"):
        arena.figure("confidenc", study)


def test_the_study_of_a_figure_may_be_left_out_only_where_there_is_one(
    played: tuple[Arena, Study, Summary], tmp_path: Path
) -> None:
    arena, study, _ = played
    with pytest.raises(StudyError, match=r"name the study of the figure; .* there are: 'cup"):
        arena.figure("confidence")
    alone = Arena(tmp_path / "one.duckdb")
    alone.run(replace(study, subjects=study.subjects[:1]))
    assert alone.figure("confidence").rows


def test_a_figure_without_its_converter_says_what_to_install(
    played: tuple[Arena, Study, Summary], monkeypatch: pytest.MonkeyPatch
) -> None:
    arena, study, _ = played
    figure = arena.figure("confidence", study)
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    wanted = r"pictures need vl-convert-python: pip install 'peer-arena\[view\]'"
    with pytest.raises(StudyError, match=wanted):
        figure.png()
    assert re.search(wanted, html.unescape(figure._repr_html_()))
    assert html.escape(figure.caption) in figure._repr_html_()


def test_stores_without_debates_say_so(tmp_path: Path) -> None:
    arena = Arena(tmp_path / "empty.duckdb")
    run.database.create(arena.path)
    assert str(arena.report()) == "There are no debates in this store yet."
    assert "no verdicts" in arena.rank()._repr_html_()
    with pytest.raises(StudyError, match="there is no study"):
        arena.report("nobody")
    with pytest.raises(StudyError, match="there are: none"):
        arena.figure("confidence")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"margin": 0.0}, r"a margin must be above 0 and below 0.5 \(5 points: 0.05\), found 0"),
        ({"margin": 5.0}, "found 5"),
        ({"sample": 5}, "needs mixed=True"),
        ({"mixed": True, "sample": 2}, "at least 3 debates, found 2"),
    ],
)
def test_wrong_options_of_a_report_get_one_sentence(
    played: tuple[Arena, Study, Summary], options: dict[str, float], words: str
) -> None:
    with pytest.raises(StudyError, match=words):
        played[0].report(**options)  # type: ignore[arg-type]


def test_studies_arms_and_summaries_show_themselves_shortly(
    played: tuple[Arena, Study, Summary],
) -> None:
    _, study, summary = played
    assert repr(study) == (f"<Study 'cup {HOSTILE}': 1 arm, 3 subjects, 2 lineups: 6 episodes>")
    assert repr(study.arms[0]) == "<Arm '<i>arm</i>': debate, 2 lineups>"
    assert repr(replace(study, repeats=2)).endswith("2 lineups, 2 repeats: 12 episodes>")
    assert summary.planned == 6
    assert_no_markup(study._repr_html_())
    assert "&lt;i&gt;arm&lt;/i&gt;" in study._repr_html_()
    assert repr(summary) == str(summary)
    assert_no_markup(summary._repr_html_())
    assert "6 of 6 episodes done" in summary._repr_html_()


@pytest.mark.parametrize(
    "broken",
    [
        Study("", [], []),
        Study("x", "arms", []),  # type: ignore[arg-type]
        Study("x", [], None),  # type: ignore[arg-type]
        Study(5, [Arm(5, None, [None], None)], [Subject("m")]),  # type: ignore[arg-type, list-item]
        Study("x", [Arm("a", debate, [5], 7)], [Subject("m")]),  # type: ignore[arg-type, list-item]
    ],
)
def test_a_study_that_cannot_be_played_shows_why(broken: Study) -> None:
    assert isinstance(repr(broken), str)
    assert "<table" not in broken._repr_html_()
    assert isinstance(repr(broken.arms), str)


def test_the_public_arena_is_the_one_that_plays() -> None:
    assert issubclass(Arena, run.Arena)
    assert repr(Arena("some.duckdb")) == "<Arena 'some.duckdb'>"
