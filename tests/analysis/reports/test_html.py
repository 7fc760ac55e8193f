"""The page of a report: whole in one file, true to the report, readable by everybody; and figures
as files.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from analysis.reports.debates import study_reports
from analysis.reports.html import file_stems, page, write_atomically
from analysis.reports.sentences import sentences
from analysis.reports.tables.debates import print_report, report_document
from arena.cli.main import main
from arena.errors import StudyError
from tests.analysis.conftest import Add
from tests.chromium import chromium

# Whole stores are played and reported here, which takes seconds.
pytestmark = pytest.mark.slow

MADE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
RISING = {"ratings": [(60, 70, 80), (50, 55, 75)]}
HOSTILE = "<script>alert(1)<img src=x onerror=alert(1)>&\"'\u202e"


class Read(HTMLParser):
    """Every tag with its attributes, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def html(path: Path, study: str | None = None) -> str:
    """The page of a store."""
    return page(path, study_reports(path, study), command="arena report --html x.html", made=MADE)


@pytest.fixture(scope="session")
def whole(cup: Path) -> str:
    return html(cup)


def test_the_page_needs_nothing_else_and_runs_nothing(whole: str) -> None:
    found = Read(whole)
    assert not {"script", "link", "iframe", "object", "embed", "img", "form", "base"} & {
        tag for tag, _ in found.tags
    }
    for tag, attributes in found.tags:
        assert not any(
            name.startswith("on") or name in ("src", "srcset", "style", "action")
            for name in attributes
        ), (tag, attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in whole
    assert "@import" not in whole


def test_every_id_is_there_once_and_every_link_has_its_target(whole: str) -> None:
    tags = Read(whole).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {(attributes["href"] or "")[1:] for tag, attributes in tags if tag == "a"}
    assert links == {"study-1", "study-2"} <= set(ids)


def test_simulated_studies_are_marked_and_others_are_not(add: Add, whole: str) -> None:
    assert whole.count('class="loud"') == 2
    add("made up", RISING, RISING, simulated=True)
    top, made_up, real = html(add("real", RISING, RISING)).split("<section ")
    assert "made up</a> (SIMULATED)" in top
    assert top.count("SIMULATED") == 1
    assert made_up.count('class="loud"') == 1
    assert "SIMULATED" not in real


def test_the_page_has_every_line_that_the_terminal_has(
    cup: Path, whole: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = re.sub(r"\W+", " ", Read(whole).words)
    print_report(study_reports(cup))
    lines = [line for line in capsys.readouterr().out.splitlines() if re.search(r"\w", line)]
    assert len(lines) > 60
    numbers = {number for line in lines for number in re.findall(r"\d+\.\d\d", line)}
    assert {number for number in numbers if number.replace(".", " ") not in words} == set()
    for heading in (
        "Confidence of debaters, percent",
        "Leaderboard: strength in logits",
        "Missing, and why",
        "Right answers, percent",
        "Rules",
    ):
        assert re.sub(r"\W+", " ", heading) in words


def test_a_report_is_blocks_with_titles_and_alignment(cup: Path) -> None:
    [told] = study_reports(cup, "it's a cup")
    block = report_document(told).blocks[0]
    assert block.title.startswith("Confidence of debaters, percent")
    assert block.headings[:3] == ("phase", "n", "mean")
    assert block.rows[0][0] == "opening"
    assert block.text_columns == 1


def test_page_and_terminal_show_the_same_blocks(cup: Path, whole: str) -> None:
    shown = " ".join(Read(whole).words.split())
    for told in study_reports(cup):
        for block in report_document(told).blocks:
            for words in (block.title, *block.headings, *block.notes):
                assert " ".join(words.split()) in shown
            for row in block.rows:
                assert " ".join("".join(row).split()) in shown


def test_findings_say_the_numbers_of_the_report(add: Add) -> None:
    path = add(
        "s",
        *[RISING | {"votes": [("proposition", 0.9)]}] * 3,
        RISING | {"ratings": [(60, 70, "no rating tag"), (50, 55, 75)]},
    )
    found = " ".join(sentences(study_reports(path)[0]))
    assert "55.0%" in found  # (60 + 50) / 2
    assert "+22.9 points" in found  # 7 debaters: 4 of 25 points, 3 of 20
    assert (
        "of 3 debates with both ratings, both sides were in 0 (0.0%; 95% interval 0.0 to 70.8)"
        " above 75% and 3 (100.0%; 95% interval 29.2 to 100.0) above 50%" in found
    )
    assert (
        "its Brier score is 0.301, where always saying 50% gives 0.250" in found
    )  # (0.2 ** 2 + 0.75 ** 2) / 2
    assert "Missing: confidence 1" in found


def test_findings_of_answers_name_the_best_arm_and_the_budget(cup: Path) -> None:
    [told] = study_reports(cup, "self_agreement")
    found = " ".join(sentences(told))
    assert told.answers is not None
    best = max(arm.accuracy.share.all.mean for arm in told.answers.arms)
    assert f"was right in {100 * best:.1f}%" in found
    assert "NOT THE SAME BUDGET" in found


def test_hostile_names_are_text(add: Add) -> None:
    study = HOSTILE.replace("/", "")
    path = add(
        study, *[RISING | {"models": (HOSTILE, "b"), "arm": HOSTILE, "flags": [HOSTILE]}] * 2
    )
    found = html(path)
    assert not {"script", "img"} & {tag for tag, _ in Read(found).tags}
    assert "\u202e" not in Read(found).words
    assert "<script>alert(1)" in Read(found).words


def test_an_empty_store_and_an_unfinished_study_have_pages(add: Add) -> None:
    path = add("s", RISING | {"status": "open"})
    assert "No finished debate with a rating." in html(path)
    assert "There is nothing to report" in page(path, [], command="arena report", made=MADE)


def test_a_browser_shows_it_without_complaint_at_any_width(whole: str, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(whole)
    said: list[str] = []
    # Looking for a browser may start Playwright too, which cannot run twice at a time.
    executable = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        shown = browser.new_page()
        shown.on("console", lambda message: said.append(message.text))
        shown.on(
            "request",
            lambda request: (
                said.append(request.url) if not request.url.startswith("file:") else None
            ),
        )
        shown.goto((tmp_path / "report.html").as_uri())
        for width in (390, 1200):
            shown.set_viewport_size({"width": width, "height": 800})
            assert shown.evaluate(
                "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            )
            found = Axe().run(shown)
            assert found.violations_count == 0, found.generate_report()
        browser.close()
    assert said == []


def test_the_command_writes_the_page_and_says_where(
    cup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.html"
    target.write_text("an older report")
    assert (
        main(["report", "--db", str(cup), "--study", "self_agreement", "--html", str(target)]) == 0
    )
    assert f"{target} ({target.stat().st_size / 1000:,.0f} kB)" in capsys.readouterr().out
    assert "--study=self_agreement" in target.read_text()
    assert list(tmp_path.iterdir()) == [target]


def test_the_command_writes_figures_and_lists_them(
    cup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(
            [
                "report",
                "--db",
                str(cup),
                "--study",
                "self_agreement",
                "--figures",
                str(tmp_path / "figures"),
            ]
        )
        == 0
    )
    listed = capsys.readouterr().out.split()
    assert sorted(listed) == sorted(map(str, (tmp_path / "figures").iterdir()))
    assert str(tmp_path / "figures" / "self_agreement-accuracy.png") in listed
    begins = (b"\x89PNG", b"<svg", b"%PDF")
    assert all(Path(file).read_bytes().startswith(begins) for file in listed)


def test_file_names_are_safe_and_no_two_studies_share_one() -> None:
    assert file_stems(["..\\a?", "..\\a*", "Cup", "cup", "cup_2"]) == [
        "_a_",
        "_a__2",
        "Cup",
        "cup_2",
        "cup_2_2",
    ]
    assert file_stems(["..", "x" * 200]) == ["study", "x" * 80]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="is a folder"):
        write_atomically(tmp_path, b"x")
    with pytest.raises(StudyError, match="there is no folder"):
        write_atomically(tmp_path / "nowhere" / "x.html", b"x")
    write_atomically(tmp_path / "x.html", b"x")
    assert [file.name for file in tmp_path.iterdir()] == ["x.html"]


def test_without_the_extra_the_command_says_what_to_install(
    add: Add, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = add("s", RISING)
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    assert main(["report", "--db", str(path), "--html", "x.html"]) == 2
    assert "pip install 'peer-arena[view]'" in capsys.readouterr().err
    assert not Path("x.html").exists()
