"""Test the page of a debate: speeches, private contents, who read whom, and the judges."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from arena.errors import StudyError
from arena.store.database import query
from arena.web.pages.debate import (
    HEIGHT,
    TOP,
    chart_point,
    confidence_chart,
    votes_and_outcomes,
)
from arena.web.pages.transcript import transcript
from arena.web.site import Ask, Site
from tests.arena.web.conftest import RunningViewer
from tests.arena.web.transcripts import ATTACKS, ENDLESS, Rows, page_html, play, turn, write_store

# Each page takes a store, a server and seconds.
pytestmark = pytest.mark.slow

SIDES = {"proposition": "m/a", "opposition": "m/b"}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a debate in which every text is hostile, from speeches to judges' reasons."""
    seats = {"proposition": ATTACKS, "opposition": ATTACKS + " two", ATTACKS: ATTACKS}
    rows: Rows = play("hostile", "motion", seats, text=ATTACKS)
    for seat in seats:
        rating = {"confidence": 0.5, "confidence_status": "read", "flags": [ATTACKS]}
        rows.append(
            turn("hostile", seat, 0, phase=ATTACKS, public=ATTACKS, thoughts=ATTACKS, **rating)
        )
        rows.append(
            turn(
                "hostile",
                seat,
                1,
                public=ENDLESS,
                thoughts=ATTACKS * 40_000,
                confidence_status=ATTACKS,
            )
        )
    rows += play("judging", "debate", {"judge": ATTACKS})
    said = {
        "debate": "hostile",
        "judge": ATTACKS,
        "seat_order": ATTACKS,
        "repeat": 0,
        "winner": "opposition",
        "status": ATTACKS,
    }
    rows.append(("rulings", {"episode": "judging", "reasons": ENDLESS, **said}))
    return write_store(tmp_path_factory.mktemp("hostile") / "hostile.duckdb", rows)


def a_debate(db: Path) -> str:
    """Return the first debate of a store."""
    return str(query(db, "select min(episode) from plays where protocol = 'debate'").rows[0][0])


def test_each_speech_stands_in_its_lane_with_the_rating_under_it(
    page: Page, serve: Callable[[Path], RunningViewer], tournament: Path
) -> None:
    page.goto(f"{serve(tournament).url}/debate/{a_debate(tournament)[:10]}")
    row = query(
        tournament,
        "select * from turns where episode = ? and seat = 'opposition' and step = 2",
        [a_debate(tournament)],
    ).dicts()[0]
    said = page.get_by_role("article").filter(
        has=page.get_by_role("heading", name="Opposition, closing")
    )
    expect(said.locator("> .speech")).to_have_text(row["public"])
    expect(said.locator(".strip")).to_contain_text(f"{100 * row['confidence']:g}%")
    expect(said.locator(".strip")).to_contain_text(row["thoughts"])
    left, right = (page.get_by_role("article").nth(n).bounding_box() for n in (0, 1))
    assert left
    assert right
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]


def test_the_switch_takes_out_what_was_private_and_stands_in_the_address(
    page: Page, serve: Callable[[Path], RunningViewer], tournament: Path
) -> None:
    page.goto(f"{serve(tournament).url}/debate/{a_debate(tournament)}")
    page.get_by_role("link", name="Hide private contents").click()
    expect(page).to_have_url(re.compile("private=0$"))
    assert "Simulated thoughts" not in page.content()
    assert "rating" not in page.locator("main").inner_text()
    expect(page.locator("svg.chart")).to_have_count(0)
    page.get_by_role("link", name="Show private contents").click()
    expect(page.locator(".strip")).to_have_count(6)


def test_a_site_without_private_words_has_none_in_its_html(tmp_path: Path) -> None:
    rated = {
        "thoughts": "MY THOUGHTS",
        "confidence": 0.8125,
        "confidence_status": "read",
        "flags": ["zero with no thoughts"],
    }
    rows = [
        *play("e", "motion", SIDES),
        *(turn("e", side, 0, rating_public=side == "opposition", **rated) for side in SIDES),
    ]
    text = page_html(write_store(tmp_path / "a.duckdb", rows), "e", private=False)
    assert "MY THOUGHTS" not in text
    assert "zero with no thoughts" not in text
    assert "Raw." not in text
    # The opposition's rating was public: once in the picture, in its table, and under its speech.
    assert text.count("81.25%") == 3


def test_every_turn_names_those_it_had_read_with_the_face(
    page: Page, serve: Callable[[Path], RunningViewer], tournament: Path
) -> None:
    page.goto(f"{serve(tournament).url}/debate/{a_debate(tournament)}")
    read = (
        page.get_by_role("article")
        .filter(has=page.get_by_role("heading", name="Proposition, rebuttal"))
        .locator(".reads")
    )
    expect(read).to_have_text(
        "Read: proposition, opening (public), proposition, opening (notes), opposition, opening"
        " (public)"
    )
    read.get_by_role("link", name="opposition, opening").click()
    expect(page.locator(":target").get_by_role("heading")).to_have_text("Opposition, opening")


def test_each_turn_leads_to_its_call_and_each_verdict_to_its_judging(
    page: Page, serve: Callable[[Path], RunningViewer], tournament: Path
) -> None:
    url = f"{serve(tournament).url}/debate/{a_debate(tournament)}"
    page.goto(url)
    page.get_by_role("link", name="prompt and raw reply, opposition, rebuttal, step 1").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("opposition")
    page.goto(url)
    page.get_by_role("table").last.get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("A judge on: This house")
    page.get_by_role("link", name="The debate that was judged").click()
    expect(page).to_have_url(url)


@pytest.mark.parametrize("name", ["tournament", "published_store"])
def test_outcomes_are_those_of_the_view(name: str, request: pytest.FixtureRequest) -> None:
    db: Path = request.getfixturevalue(name)
    expected = query(db, "from outcomes order by debate limit 60").dicts()
    with Site(db).store(()) as alone:
        together = Ask(alone.con, [tuple(row["debate"] for row in expected)])
        for number, row in enumerate(expected):
            votes, outcome = together.of(row["debate"], votes_and_outcomes)
            assert outcome is not None
            assert asdict(outcome) == pytest.approx(row)
            if number < 3:
                assert alone.of(row["debate"], votes_and_outcomes) == (votes, outcome)
    assert expected


def test_failed_judgings_are_missing_and_flips_are_marked(tmp_path: Path) -> None:
    rows = [
        *play("e", "motion", SIDES),
        turn("e", "proposition", 0),
        ("subjects", {"subject": "d", "kind": "debate", "source": "e"}),
    ]
    for number, (order, winner) in enumerate(
        {"as played": "proposition", "swapped": "opposition", "": None}.items()
    ):
        judge = "m/j" if winner else "m/k"
        rows += [
            *play(f"j{number}", "debate", {"judge": judge}, status="done" if winner else "failed")
        ]
        if winner:
            ruling = {
                "episode": f"j{number}",
                "debate": "e",
                "judge": judge,
                "seat_order": order,
                "repeat": 0,
                "winner": winner,
                "status": "read",
            }
            rows.append(("rulings", ruling))
    rows[-3:] = [
        (table, row | ({"subject": "d"} if table == "plays" else {})) for table, row in rows[-3:]
    ]
    text = re.sub(
        r"\s+",
        " ",
        re.sub(r"<[^>]+>", " ", page_html(write_store(tmp_path / "a.duckdb", rows), "e")),
    )
    assert "By the majority of votes: tie" in text
    assert "By confidence sum: tie (0.00 to 0.00)" in text
    assert "1 vote abstains, 1 of them because the winner changed with the order" in text
    assert "1 vote is missing" in text
    assert "flipped with the order" in text
    assert "(failed: Refused)" in text


def test_missing_ratings_are_gaps_with_their_reason(tmp_path: Path) -> None:
    ratings = (0.6, None, 0.9)
    rows = play("e", "motion", SIDES)
    for step, rating in enumerate(ratings):
        why = "read" if rating else "two different numbers"
        rows.append(
            turn(
                "e",
                "proposition",
                step,
                phase=f"speech_{step}",
                confidence=rating,
                confidence_status=why,
            )
        )
    page = transcript(Site(db := write_store(tmp_path / "a.duckdb", rows)), "e", {})
    line = confidence_chart(page.content.transcript).lines[0]
    assert [point.label for point in line.points] == ["60%", "90%"]
    assert line.strokes == ()
    assert "speech 1: no rating (two different numbers)" in page_html(db, "e")


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_labels_of_two_ratings_that_are_near_lie_apart_and_within_the_chart(share: float) -> None:
    both = [share, min(share + 0.01, 1.0)]
    heights = sorted(chart_point(0, both, number).label_y for number in (0, 1))
    assert heights[1] - heights[0] >= 16
    assert heights[0] >= 13  # a line of text
    assert heights[1] <= TOP + HEIGHT + 44 - 6 - 16  # the phases stand below


def test_a_failed_debate_shows_its_error_and_what_had_been_said(tmp_path: Path) -> None:
    call = {"episode": "e", "seat": "opposition", "step": 0, "ask": 0, "run": "r", "attempt": 0}
    rows = [*play("e", "motion", SIDES, status="failed"), turn("e", "proposition", 0, public=None)]
    rows.append(
        (
            "call_ends",
            {**call, "status": "failed", "error_kind": "Refused", "error": "<b>policy</b>"},
        )
    )
    text = page_html(write_store(tmp_path / "a.duckdb", rows), "e")
    assert "the policy refused it" in text
    assert "&lt;b&gt;policy" in text
    assert "[no readable speech]" in text
    assert "Opposition: no turn in this phase" in text
    assert "The raw reply" in text


def test_an_open_debate_is_followed(tmp_path: Path) -> None:
    db = write_store(
        tmp_path / "a.duckdb",
        [*play("e", "motion", SIDES, status=None), turn("e", "proposition", 0)],
    )
    assert "data-live" in page_html(db, "e")
    assert "its turns so far" in page_html(db, "e")


def test_a_debate_that_has_ended_is_not_followed(tmp_path: Path) -> None:
    assert "data-live" not in page_html(
        write_store(tmp_path / "a.duckdb", play("e", "motion", SIDES)), "e"
    )


def test_an_id_may_be_short_but_not_ambiguous(tmp_path: Path) -> None:
    rows = [
        *play("abc1", "motion", SIDES),
        *play("abc12", "motion", SIDES),
        *play("abd", "motion", SIDES),
    ]
    db = write_store(tmp_path / "a.duckdb", rows)
    assert "<code>abd</code>" in page_html(db, "abd")
    assert "<code>abc1</code>" in page_html(db, "abc1")
    for name, words in {
        "ab": "several episodes begin",
        "x": "no episode begins",
        "": "no episode begins",
    }.items():
        with pytest.raises(StudyError, match=words):
            page_html(db, name)


def test_debates_of_a_study_are_linked_in_a_row(tmp_path: Path) -> None:
    db = write_store(
        tmp_path / "a.duckdb", [row for name in "abc" for row in play(name, "motion", SIDES)]
    )
    text = page_html(db, "b")
    assert 'rel="prev" href="/debate/a"' in text
    assert 'rel="next" href="/debate/c"' in text


def test_hostile_words_run_nothing_and_are_not_cut_silently(
    page: Page, serve: Callable[[Path], RunningViewer], hostile: Path
) -> None:
    answer = page.goto(f"{serve(hostile).url}/debate/hostile")
    assert answer
    assert len(answer.body()) < 2_000_000
    assert page.evaluate("document.title.startsWith('owned')") is False
    assert page.locator("main script, main img").count() == 0
    assert "\x1b" not in page.content()
    assert "\u202e" not in page.content()
    cut = page.get_by_role(
        "link", name=re.compile("more characters: the whole text is on the page of the call")
    )
    assert cut.count() >= 6
    shown = len(
        page.get_by_role("article")
        .filter(has_text="all work")
        .first.locator("> .speech")
        .inner_text()
    )
    assert shown + int(re.sub(r"\D", "", cut.first.inner_text())) == len(ENDLESS.rstrip())


def test_it_can_be_read_without_javascript_on_a_phone(
    browser: Browser, serve: Callable[[Path], RunningViewer], published_store: Path
) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    tab = context.new_page()
    tab.goto(f"{serve(published_store).url}/debate/{a_debate(published_store)}")
    first, second = (tab.get_by_role("article").nth(n) for n in (0, 1))
    expect(second.get_by_role("heading")).to_contain_text("Opposition")
    above, below = first.bounding_box(), second.bounding_box()
    assert above
    assert below
    assert above["y"] + above["height"] <= below["y"]
    assert below["x"] + below["width"] <= 390
    tab.get_by_text("The numbers in a table").click()
    expect(tab.get_by_role("row", name=re.compile("closing"))).to_be_visible()
    context.close()


def test_no_page_is_wider_than_a_phone(
    page: Page, serve: Callable[[Path], RunningViewer], hostile: Path, published_store: Path
) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    for db, name in ((hostile, "hostile"), (published_store, a_debate(published_store))):
        page.goto(f"{serve(db).url}/debate/{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_lines_of_a_speech_are_of_a_length_that_can_be_read(
    page: Page, serve: Callable[[Path], RunningViewer], published_store: Path
) -> None:
    page.goto(f"{serve(published_store).url}/debate/{a_debate(published_store)}")
    width = page.locator(".turn > .speech").first.evaluate(
        "one => { one.textContent ="
        " 'The house believes that words should fit the eye of whoever reads them. '.repeat(20);"
        " const lines = one.clientHeight / parseFloat(getComputedStyle(one).lineHeight);"
        " return one.textContent.length / lines; }"
    )
    assert 55 <= width <= 80


def test_the_keyboard_reaches_switch_speeches_and_judges(
    page: Page, serve: Callable[[Path], RunningViewer], tournament: Path
) -> None:
    page.goto(f"{serve(tournament).url}/debate/{a_debate(tournament)}")
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "document.activeElement.getAttribute('aria-label')"
                " || document.activeElement.innerText"
            )
        )
    assert {
        "Hide private contents",
        "Confidence by phase, a picture",
        "The numbers in a table",
        "Verdicts by judge",
        "Reasons",
    } <= reached
    assert "prompt and raw reply, proposition, closing, step 2" in reached
