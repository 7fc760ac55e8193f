"""Test the first page and the page of a study in a real browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from arena.cli.main import main
from arena.store.database import query
from tests.arena.web.conftest import ROOT, RunningViewer, viewer
from tests.publication import is_real

# Each page takes a store, a server and seconds.
pytestmark = pytest.mark.slow

Serve = Callable[[Path], RunningViewer]
EMPTY = '<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.fixture
def plain(page: Page) -> Page:
    """Return a page whose figures are not drawn, for claims about the rest."""
    page.route(
        "**/figure.svg/**", lambda route: route.fulfill(body=EMPTY, content_type="image/svg+xml")
    )
    return page


def test_the_first_page_lists_the_studies(page: Page, serve: Serve, tournament: Path) -> None:
    page.goto(serve(tournament).with_token)
    expect(page.get_by_role("heading", name="Studies")).to_be_visible()
    row = page.get_by_role("row", name="tournament SIMULATED")
    expect(row).to_contain_text("300 of 300")
    assert "token" not in page.url


def test_an_empty_store_says_what_to_do(page: Page, tmp_path: Path) -> None:
    from arena.store.database import create

    create(tmp_path / "empty.duckdb")
    with viewer(tmp_path / "empty.duckdb") as served:
        page.goto(served.url)
        expect(page.locator("main")).to_contain_text("This store is empty")


def test_a_study_shows_its_numbers(plain: Page, serve: Serve, published_store: Path) -> None:
    plain.goto(f"{serve(published_store).url}/study/cross_model")
    row = plain.get_by_role("region", name="Ratings by phase").get_by_role(
        "row", name=re.compile("closing")
    )
    (mean,) = query(
        published_store,
        "select mean from confidence_by_round where study = 'cross_model' and phase = 'closing'",
    ).rows[0]
    expect(row).to_contain_text(f"{100 * mean:.1f}%")
    if is_real():
        expect(row).to_contain_text("83.3%")


def test_the_list_begins_with_the_debate_whose_sides_are_surest(
    plain: Page, serve: Serve, published_store: Path
) -> None:
    plain.goto(f"{serve(published_store).url}/study/cross_model")
    surest = (
        "select episode from side_confidence where study = 'cross_model' and phase = 'closing'"
        " order by least(proposition, opposition) desc"
    )
    (lowest,) = query(
        published_store,
        "select max(least(proposition, opposition)) from"
        f" ({surest.replace('select episode', 'select *')})",
    ).rows[0]
    first = plain.get_by_role("region", name="List").get_by_role("row").nth(1)
    shown = [int(number) for number in re.findall(r"→ (\d+)%", first.inner_text())]
    assert min(shown) == round(100 * lowest)


def test_filters_narrow_the_list_and_stand_in_the_address(
    plain: Page, serve: Serve, published_store: Path
) -> None:
    plain.goto(f"{serve(published_store).url}/study/cross_model")
    plain.get_by_label("Model").select_option("openai/o3-mini")
    plain.get_by_label("Winner").select_option("opposition")
    plain.get_by_role("button", name="Show").click()
    expect(plain).to_have_url(re.compile("model=openai%2Fo3-mini.*outcome=opposition"))
    rows = plain.get_by_role("region", name="List").get_by_role("row").all_inner_texts()[1:]
    assert rows
    assert all("openai/o3-mini" in row for row in rows)


def test_long_lists_are_paged_on_the_server(plain: Page, serve: Serve, tournament: Path) -> None:
    plain.goto(f"{serve(tournament).url}/study/tournament")
    expect(plain.get_by_role("region", name="List").get_by_role("row")).to_have_count(51)
    plain.get_by_role("link", name="next ›").click()
    expect(plain.get_by_text("page 2 of 6, 300 debates")).to_be_visible()


def test_a_study_of_questions_lists_its_plays(plain: Page, serve: Serve, peers: Path) -> None:
    (study,) = query(peers, "select study from studies limit 1").rows[0]
    plain.goto(f"{serve(peers).url}/study/{study}")
    expect(
        plain.get_by_role("region", name="Accuracy by arm").get_by_role("row")
    ).not_to_have_count(1)
    plain.get_by_label("Answer").select_option("right")
    plain.get_by_role("button", name="Show").click()
    expect(plain).to_have_url(re.compile("="))
    rows = plain.get_by_role("region", name="List").get_by_role("row").all_inner_texts()[1:]
    assert rows
    assert all("✓ right" in row for row in rows)


def test_winners_in_the_list_are_those_of_the_view(
    plain: Page, serve: Serve, tournament: Path
) -> None:
    winners = dict(
        query(tournament, "select debate, coalesce(majority, 'not judged') from outcomes").rows
    )
    plain.goto(f"{serve(tournament).url}/study/tournament")
    rows = plain.get_by_role("region", name="List").get_by_role("row").all()[1:]
    told = {
        row.get_by_role("link").get_attribute("href").rpartition("/")[2]: row.get_by_role("cell")
        .nth(4)
        .inner_text()
        for row in rows
    }
    assert len(told) == 50
    assert told == {episode: winners[episode] for episode in told}
    assert len(set(told.values())) > 1


@pytest.mark.parametrize(
    "address",
    [
        "/study/none",
        "/study/tournament?page=99",
        "/study/tournament?page=0",
        "/study/tournament?sort=x",
        "/figure/tournament?figure=x",
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(
    browser: Browser, serve: Serve, tournament: Path, address: str
) -> None:
    tab = browser.new_page()
    answer = tab.goto(serve(tournament).url + address)
    assert answer is not None
    assert answer.status == 404
    expect(tab.get_by_role("heading", name="Not found")).to_be_visible()
    tab.close()


def test_studies_are_readable_without_javascript(
    browser: Browser, serve: Serve, tournament: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(serve(tournament).url)
    tab.get_by_role("link", name="tournament", exact=True).click()
    expect(tab.get_by_role("heading", name="Numbers")).to_be_visible()
    context.close()


@pytest.mark.parametrize("address", ["/", "/study/tournament", "/study/tournament jury"])
def test_pages_pass_axe(page: Page, serve: Serve, tournament: Path, address: str) -> None:
    page.goto(serve(tournament).url + address)
    assert Axe().run(page).response["violations"] == []


def test_a_study_that_was_stopped_is_not_followed(plain: Page, tmp_path: Path) -> None:
    db = tmp_path / "stopped.duckdb"
    assert (
        main(
            [
                "run",
                str(ROOT / "experiments" / "two_llms_debate.py"),
                "-o",
                "preset=self",
                "--limit",
                "1",
                "--db",
                str(db),
            ]
        )
        == 0
    )
    with viewer(db) as served:
        plain.goto(f"{served.url}/study/two_llms_debate_self")
        expect(plain.locator(".facts")).to_contain_text("1 of 18")
        expect(plain.get_by_text("Follows the run")).to_have_count(0)


def test_the_page_of_a_running_study_follows_it(plain: Page, tmp_path: Path) -> None:
    code = (
        "import asyncio\nfrom agents.scripted import scripted\n"
        "from arena import Agent, Arm, Study, Subject\n"
        "from protocols.debate import debate\n"
        "async def slow(request):\n    await asyncio.sleep(0.1)\n"
        "    return '<speech>Said.</speech><rating>70%</rating>'\n"
        "def study() -> Study:\n    one = Agent('slow', scripted(slow))\n"
        "    motions = [Subject(f'This house would wait {n}.') for n in range(12)]\n"
        "    arm = Arm('only', debate, [{'proposition': one, 'opposition': one}])\n"
        "    return Study('slow', [arm], motions)\n"
    )
    (tmp_path / "slow.py").write_text(code)
    command = [sys.executable, "-m", "arena", "run", "slow.py", "--concurrency", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not (tmp_path / "arena.duckdb").exists():
            assert run.poll() is None
        with viewer(tmp_path / "arena.duckdb") as served:
            plain.goto(f"{served.url}/study/slow")
            expect(plain.get_by_text("Follows the run")).to_be_visible()
            expect(plain.get_by_text("The run has ended")).to_be_visible(timeout=60_000)
            expect(plain.locator(".facts")).to_contain_text("12 done")
    finally:
        run.terminate()
        run.wait(10)


def test_three_clicks_lead_from_the_first_page_to_the_debate_that_drives_the_finding(
    page: Page, serve: Serve, tournament: Path
) -> None:
    page.goto(serve(tournament).with_token)
    page.get_by_role("link", name="tournament", exact=True).click()
    expect(page.get_by_role("img")).to_have_count(8)
    pictures = page.get_by_role("img").all()
    assert all(
        picture.evaluate("one => one.decode().then(() => one.naturalWidth)") > 100
        for picture in pictures
    )
    page.get_by_role("link", name="Both sides at once", exact=True).click()
    page.locator(".drawing a").first.click(force=True)
    expect(page).to_have_url(re.compile("/debate/"))
    expect(page.get_by_role("heading", name="Speeches")).to_be_visible()


def test_a_figure_shows_the_numbers_of_its_sql(page: Page, serve: Serve, tournament: Path) -> None:
    page.goto(f"{serve(tournament).url}/figure/tournament?figure=confidence")
    (mean,) = query(
        tournament,
        "select mean from confidence_by_round where study = 'tournament' and phase = 'closing'",
    ).rows[0]
    expect(page.locator(".drawing svg")).to_contain_text(f"{100 * mean:.1f}")
    expect(page.get_by_role("region", name="The numbers behind it")).to_contain_text(f"{mean:.4f}")
    page.get_by_text("SQL", exact=True).last.click()
    page.get_by_role("link", name="Open in the SQL page").click()
    expect(page.locator("main")).to_contain_text(f"{mean:.9f}"[:6])
    assert Axe().run(page).response["violations"] == []


def test_the_keyboard_alone_reaches_a_debate(plain: Page, serve: Serve, tournament: Path) -> None:
    plain.goto(f"{serve(tournament).url}/study/tournament")
    first = plain.get_by_role("region", name="List").get_by_role("link").first
    for _ in range(60):
        plain.keyboard.press("Tab")
        if first.evaluate("one => one === document.activeElement"):
            break
    plain.keyboard.press("Enter")
    plain.wait_for_url("**/debate/**")
