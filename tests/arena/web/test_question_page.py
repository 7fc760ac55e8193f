"""Test the page of a question: graded answers, lanes of turns, and routes of summaries."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from arena.errors import StudyError
from arena.store.database import query
from arena.web.pages.routes import Route, draw_routes
from arena.web.pages.texts import chars_that_fit, room_for_each, size_of
from arena.web.pages.transcript import transcript
from arena.web.site import Site
from arena.web.words import render
from tests.arena.web.conftest import RunningViewer
from tests.arena.web.transcripts import ATTACKS, ENDLESS, Rows, page_html, play, turn, write_store

# Each page takes a store, a server and seconds.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a question in which every text is hostile, from answers to routers."""
    seats = {ATTACKS: ATTACKS, "path1": "m/a"}
    rows: Rows = [*play("hostile", "question", seats, text=ATTACKS * 3)]
    for seat in seats:
        rows.append(
            turn(
                "hostile",
                seat,
                0,
                phase=ATTACKS,
                public=ATTACKS * 40_000,
                thoughts=ENDLESS,
                answer=ATTACKS,
            )
        )
        rows.append(
            (
                "answers",
                {
                    "episode": "hostile",
                    "seat": seat,
                    "stage": 0,
                    "answer": ATTACKS,
                    "canonical": ATTACKS,
                    "status": ATTACKS,
                },
            )
        )
        rows.append(
            (
                "measures",
                {"episode": "hostile", "seat": seat, "step": 0, "name": ATTACKS, "value": 1.0},
            )
        )
    route = {"episode": "hostile", "block": 0, "path": 0, "peer": 1, "rank": 0, "router": ATTACKS}
    return write_store(
        tmp_path_factory.mktemp("hostile") / "hostile.duckdb", [*rows, ("routes", route)]
    )


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 64 paths that summarize 5 times and read 4 peers each time."""
    rows: Rows = play("crowd", "question", {f"path{n}": "m/a" for n in range(64)})
    for n in range(64):
        for block in range(5):
            peers = [(n + k) % 64 for k in range(1, 5)]
            for rank, peer in enumerate(peers):
                route = {
                    "episode": "crowd",
                    "block": block,
                    "path": n,
                    "peer": peer,
                    "rank": rank,
                    "similarity": rank / 4,
                    "router": "random",
                }
                rows.append(("routes", route))
            shown = [
                {"text": "Now think.", "face": None},
                *(
                    {"episode": "crowd", "seat": f"path{p}", "step": block, "face": "public"}
                    for p in peers
                ),
            ]
            words = {
                "phase": "summary",
                "public": f"path {n} said " * 100,
                "prompt": shown if block else [],
            }
            if block:
                shown[1:] = [{**part, "step": block - 1} for part in shown[1:]]
            rows.append(turn("crowd", f"path{n}", block, **words))
    return write_store(tmp_path_factory.mktemp("crowd") / "crowd.duckdb", rows)


def an_episode(db: Path, protocol: str) -> str:
    """Return the first episode of a protocol, if possible with summaries that others read."""
    chosen = """
        select episode from plays left join routes using (episode) where protocol = ?
        group by episode order by count(path) = 0, episode limit 1
    """
    return str(query(db, chosen, [protocol]).rows[0][0])


def test_the_final_answer_says_in_words_whether_it_is_right(
    page: Page, serve: Callable[[Path], RunningViewer], peers: Path
) -> None:
    name = an_episode(peers, "leap")
    final, gold = query(
        peers,
        "select answer, gold from answers join plays using (episode)"
        " join subjects using (subject) where final and episode = ?",
        [name],
    ).rows[0]
    page.goto(f"{serve(peers).url}/question/{name}")
    expect(page.locator(".outcome")).to_contain_text(
        f"Final answer {final} {'✓ right' if final == gold else '✗ wrong'}"
    )
    expect(page.locator(".outcome")).to_contain_text(f"gold answer {gold}")


def test_a_receiver_names_its_senders_with_the_similarity(
    page: Page, serve: Callable[[Path], RunningViewer], peers: Path
) -> None:
    name = an_episode(peers, "leap")
    rows = query(
        peers,
        "select path, peer, similarity from routes where episode = ? and block = 0"
        " order by path, peer",
        [name],
    ).rows
    path, peer, alike = rows[0]
    page.goto(f"{serve(peers).url}/question/{name}")
    cell = page.locator(f"#turn-path{path}-2 .reads")
    expect(cell).to_contain_text(f"path{peer} ({alike:.2f})")
    cell.get_by_role("link", name=f"path{peer}").click()
    expect(page).to_have_url(re.compile(f"#turn-path{peer}-1$"))
    expect(page.locator(f"#turn-path{path}-3 .reads")).to_have_count(0)


def test_the_picture_has_a_curve_for_every_route_and_the_table_a_row(
    page: Page, serve: Callable[[Path], RunningViewer], peers: Path
) -> None:
    name = an_episode(peers, "leap")
    routes = query(
        peers, "select path, peer, similarity from routes where episode = ?", [name]
    ).rows
    page.goto(f"{serve(peers).url}/question/{name}")
    expect(page.locator("svg.routes path")).to_have_count(len(routes))
    page.get_by_text("The routes in a table").click()
    expect(page.get_by_role("region", name="Routes, a table").get_by_role("row")).to_have_count(
        len(routes) + 1
    )


def test_what_was_gone_on_from_is_not_repeated(peers: Path) -> None:
    name = an_episode(peers, "leap")
    first = query(
        peers, "select public from turns where episode = ? and seat = 'path0' and step = 0", [name]
    ).rows[0][0]
    cells = transcript(Site(peers), name, {}).content.transcript.cells
    said = [one for key, cell in cells.items() if key[1] == "path0" for one in cell]
    assert said[0].speech.head == first.rstrip()
    assert all(not one.speech.head.startswith(first) for one in said[1:])


def test_rows_stand_in_the_order_of_play(tmp_path: Path) -> None:
    """LeaP asks for the answers last, though they have no round of their own."""
    rows = [*play("e", "question", {"path0": "m/a", "path1": "m/a"})]
    for step, (phase, round) in enumerate(
        (("think", 0), ("summary", 0), ("think", 1), ("answer", 0))
    ):
        rows += [
            turn("e", seat, step, phase=phase, round=round, started_at=f"2026-01-02 03:04:0{step}")
            for seat in ("path0", "path1")
        ]
    content = transcript(Site(write_store(tmp_path / "a.duckdb", rows)), "e", {}).content
    assert content.transcript.rows == ((0, "think"), (0, "summary"), (1, "think"), (0, "answer"))


def test_lanes_are_counted_as_people_count(tmp_path: Path) -> None:
    rows = [
        *play("e", "question", {}),
        *(turn("e", f"path{n}", 0) for n in (10, 2, 1)),
        turn("e", "judge of all", 0, phase="last", round=1),
    ]
    content = transcript(Site(write_store(tmp_path / "a.duckdb", rows)), "e", {}).content
    assert content.transcript.lanes == ("path1", "path2", "path10", "judge of all")


def test_answers_that_cannot_be_read_say_why_and_are_not_wrong(tmp_path: Path) -> None:
    given = {
        "path0": ("4", True, "graded"),
        "path1": ("5", False, "graded"),
        "path2": (None, None, "no answer"),
    }
    rows = play("e", "question", dict.fromkeys(given, "m/a"))
    for seat, (answer, correct, status) in given.items():
        rows.append(turn("e", seat, 0, answer=answer))
        rows.append(
            (
                "answers",
                {
                    "episode": "e",
                    "seat": seat,
                    "stage": 0,
                    "answer": answer,
                    "canonical": answer,
                    "correct": correct,
                    "status": status,
                },
            )
        )
    text = re.sub(
        r"\s+",
        " ",
        re.sub(r"<[^>]+>", " ", page_html(write_store(tmp_path / "a.duckdb", rows), "e")),
    )
    assert "path0 0 4 ✓ right" in text
    assert "path1 0 5 ✗ wrong" in text
    assert "path2 0 unreadable ? no answer" in text


def test_confidence_that_may_be_a_private_rating_is_left_out_without_private_words(
    tmp_path: Path,
) -> None:
    answer = {
        "episode": "e",
        "seat": "solver",
        "stage": 0,
        "answer": "4",
        "correct": True,
        "confidence": 0.83,
        "final": True,
        "status": "graded",
    }
    rows = [*play("e", "question", {"solver": "m/a"}), ("answers", answer)]
    rows.append(
        turn("e", "solver", 0, confidence=0.83, confidence_status="read", thoughts="MY THOUGHTS")
    )
    db = write_store(tmp_path / "a.duckdb", rows)
    assert "83%" in page_html(db, "e")
    assert "MY THOUGHTS" in page_html(db, "e")
    for text in (
        page_html(db, "e", private=False),
        render(Site(db), transcript(Site(db), "e", {"private": "0"})),
    ):
        assert "83%" not in text
        assert "MY THOUGHTS" not in text


def test_either_address_leads_to_the_page_of_an_episode(
    page: Page, serve: Callable[[Path], RunningViewer], tournament: Path, peers: Path
) -> None:
    page.goto(f"{serve(peers).url}/debate/{an_episode(peers, 'leap')}")
    expect(page.get_by_role("region", name="Transcript, a lane for each seat")).to_be_visible()
    page.goto(f"{serve(tournament).url}/question/{an_episode(tournament, 'debate')}")
    expect(page.get_by_role("heading", name="How sure each side was of winning")).to_be_visible()


def test_a_judging_shows_its_ruling_and_the_turns_that_were_judged(
    page: Page, serve: Callable[[Path], RunningViewer], tournament: Path
) -> None:
    name = an_episode(tournament, "judging")
    winner, confidence, reasons = query(
        tournament, "select winner, confidence, reasons from rulings where episode = ?", [name]
    ).rows[0]
    page.goto(f"{serve(tournament).url}/question/{name}")
    expect(page.locator(".outcome")).to_contain_text(f"{winner} {100 * confidence:g}%")
    expect(page.locator(".cell")).to_contain_text(reasons)
    page.locator(".reads").get_by_role("link", name="opposition, closing").click()
    expect(page.locator(":target").get_by_role("heading")).to_have_text("Opposition, closing")


def test_stated_numbers_are_as_private_as_a_rating(tmp_path: Path) -> None:
    place = {"episode": "e", "seat": "solver", "step": 0}
    measure = ("measures", {**place, "name": "stated at least", "value": 0.4321})
    rows = [*play("e", "question", {"solver": "m/a"}), turn("e", "solver", 0), measure]
    db = write_store(tmp_path / "a.duckdb", rows)
    assert "0.4321" in page_html(db, "e")
    assert "stated at least" not in page_html(db, "e", private=False)


def test_a_failed_question_shows_its_error(tmp_path: Path) -> None:
    text = page_html(
        write_store(
            tmp_path / "a.duckdb", play("e", "question", {"solver": "m/a"}, status="failed")
        ),
        "e",
    )
    assert "the policy refused it" in text
    assert "There are no turns yet." in text
    assert "no final answer" not in text


def test_a_crowd_is_shown_lane_by_lane_and_block_by_block(
    page: Page, serve: Callable[[Path], RunningViewer], crowd: Path
) -> None:
    answer = page.goto(f"{serve(crowd).url}/question/crowd")
    assert answer
    assert len(answer.body()) < 2_000_000
    expect(page.locator("svg.routes path")).to_have_count(256)
    expect(page.locator("table.grid thead th")).to_have_count(17)
    page.get_by_role("link", name="block 3").click()
    expect(page.locator("svg.routes")).to_contain_text("block 3")
    page.get_by_role("link", name="next").first.click()
    expect(page).to_have_url(re.compile("block=3.*page=2|page=2.*block=3"))
    page.locator("#turn-path31-1 .reads").get_by_role("link", name="path32").click()
    expect(page).to_have_url(re.compile("page=3.*#turn-path32-0$"))


def test_a_block_that_is_not_there_is_an_error(crowd: Path) -> None:
    with pytest.raises(StudyError, match="block must be one of 0, 1, 2, 3, 4, or all; found '9'"):
        page_html(crowd, "crowd", block="9")


def test_routes_beyond_what_can_be_drawn_are_counted() -> None:
    found = draw_routes(
        [
            Route(0, path, peer, rank, None, "all")
            for path in range(40)
            for rank, peer in enumerate(range(40))
            if peer != path
        ]
    )
    assert found is not None
    band = found.bands[0]
    assert sum(len(receiver.curves) for receiver in band.receivers) == 600
    assert band.left_out == 40 * 39 - 600
    assert all(receiver.words[-1][1] == "… 36 more" for receiver in band.receivers)


def test_the_more_alike_the_wider_and_darker() -> None:
    found = draw_routes(
        [
            Route(0, 0, 1, 0, 0.9, "clustered"),
            Route(0, 0, 2, 1, 0.1, "clustered"),
            Route(0, 1, 2, 0, None, "random"),
        ]
    )
    assert found is not None
    (near, far), (unknown,) = (receiver.curves for receiver in found.bands[0].receivers)
    assert near.width > far.width
    assert near.opacity > far.opacity
    assert unknown.dashed
    assert not near.dashed


def test_texts_share_the_room_and_short_ones_stay_whole() -> None:
    assert room_for_each([10, 10, 1000, 2000], 520) == 250
    assert room_for_each([10, 10], 520) == 40_000
    for words in ("plain words", "<b>'\"&" * 9, "\x1b[31m\u202e" * 9, "déjà\u00a0vu\u2003" * 9):
        assert chars_that_fit(words, size_of(words)) == len(words)
        assert chars_that_fit(words, size_of(words) - 1) < len(words)


def test_hostile_words_run_nothing_and_are_not_cut_silently(
    page: Page, serve: Callable[[Path], RunningViewer], hostile: Path
) -> None:
    answer = page.goto(f"{serve(hostile).url}/question/hostile")
    assert answer
    assert len(answer.body()) < 2_000_000
    assert page.evaluate("document.title.startsWith('owned')") is False
    assert page.locator("main script, main img").count() == 0
    assert "\x1b" not in page.content()
    assert "\u202e" not in page.content()
    expect(
        page.get_by_role("link", name=re.compile("more characters: the whole text"))
    ).to_have_count(4)
    page.locator("details.rest > summary").first.click()
    expect(page.locator("details.rest[open]")).to_be_visible()


def test_it_can_be_read_without_javascript_on_a_phone(
    browser: Browser, serve: Callable[[Path], RunningViewer], peers: Path, hostile: Path
) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    tab = context.new_page()
    tab.goto(f"{serve(peers).url}/question/{an_episode(peers, 'leap')}")
    expect(tab.locator("#turn-path0-0")).to_be_visible()
    for address in (
        f"{serve(peers).url}/question/{an_episode(peers, 'leap')}",
        f"{serve(hostile).url}/question/hostile",
    ):
        tab.goto(address)
        widest = tab.locator("body").bounding_box()
        assert widest
        assert widest["width"] <= 390
    context.close()


def test_the_keyboard_reaches_picture_lanes_and_calls(
    page: Page, serve: Callable[[Path], RunningViewer], peers: Path
) -> None:
    page.goto(f"{serve(peers).url}/question/{an_episode(peers, 'leap')}")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "document.activeElement.getAttribute('aria-label')"
                " || document.activeElement.innerText"
            )
        )
    assert {
        "Routes, a picture",
        "The routes in a table",
        "Transcript, a lane for each seat",
        "Measures",
    } <= reached
    assert "prompt and raw reply, path0, think, step 0" in reached
