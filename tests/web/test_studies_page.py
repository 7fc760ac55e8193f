"""The first page and the page of a study, in a real browser."""

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

from arena.store import query
from tests.web.conftest import ROOT, Served, viewer

Serve = Callable[[Path], Served]


def test_the_first_page_lists_the_studies(page: Page, serve: Serve, tournament: Path) -> None:
    page.goto(serve(tournament).with_token)
    expect(page.get_by_role("heading", name="Studies")).to_be_visible()
    row = page.get_by_role("row", name="tournament SIMULATED")
    expect(row).to_contain_text("300 of 300")
    assert "token" not in page.url


def test_an_empty_store_says_what_to_do(page: Page, tmp_path: Path) -> None:
    from arena.store import create

    create(tmp_path / "empty.duckdb")
    with viewer(tmp_path / "empty.duckdb") as served:
        page.goto(served.url)
        expect(page.locator("main")).to_contain_text("There is nothing in this store yet")


def test_a_study_shows_its_numbers(page: Page, serve: Serve, published: Path) -> None:
    page.goto(f"{serve(published).url}/study/cross_model")
    row = page.get_by_role("region", name="Confidence by phase").get_by_role("row", name=re.compile("closing"))
    (mean,) = query(published, "select mean from confidence_by_round where study = 'cross_model' and phase = 'closing'").rows[0]
    expect(row).to_contain_text(f"{100 * mean:.1f}%")
    expect(row).to_contain_text("83.3%")


def test_the_list_begins_with_the_debate_whose_sides_are_surest(page: Page, serve: Serve, published: Path) -> None:
    page.goto(f"{serve(published).url}/study/cross_model")
    surest = (
        "select episode from side_confidence where study = 'cross_model' and phase = 'closing' order by least(proposition, opposition) desc"
    )
    (lowest,) = query(published, f"select max(least(proposition, opposition)) from ({surest.replace('select episode', 'select *')})").rows[0]
    first = page.get_by_role("region", name="List").get_by_role("row").nth(1)
    shown = [int(number) for number in re.findall(r"→ (\d+)%", first.inner_text())]
    assert min(shown) == round(100 * lowest)


def test_filters_narrow_the_list_and_stand_in_the_address(page: Page, serve: Serve, published: Path) -> None:
    page.goto(f"{serve(published).url}/study/cross_model")
    page.get_by_label("Model").select_option("openai/o3-mini")
    page.get_by_label("Winner").select_option("opposition")
    page.get_by_role("button", name="Show").click()
    assert "model=openai%2Fo3-mini" in page.url
    assert "outcome=opposition" in page.url
    rows = page.get_by_role("region", name="List").get_by_role("row").all_inner_texts()[1:]
    assert rows
    assert all("openai/o3-mini" in row for row in rows)


def test_long_lists_are_paged_on_the_server(page: Page, serve: Serve, tournament: Path) -> None:
    page.goto(f"{serve(tournament).url}/study/tournament")
    expect(page.get_by_role("region", name="List").get_by_role("row")).to_have_count(51)
    page.get_by_role("link", name="next ›").click()
    expect(page.get_by_text("page 2 of 6, 300 debates")).to_be_visible()


def test_a_study_of_questions_lists_its_plays(page: Page, serve: Serve, peers: Path) -> None:
    (study,) = query(peers, "select study from studies limit 1").rows[0]
    page.goto(f"{serve(peers).url}/study/{study}")
    expect(page.get_by_role("region", name="Accuracy by arm").get_by_role("row")).not_to_have_count(1)
    page.get_by_label("Answer").select_option("right")
    page.get_by_role("button", name="Show").click()
    rows = page.get_by_role("region", name="List").get_by_role("row").all_inner_texts()[1:]
    assert all("✓ right" in row for row in rows)


@pytest.mark.parametrize("address", ["/study/none", "/study/tournament?page=0", "/study/tournament?sort=x", "/figure/tournament?figure=x"])
def test_what_is_not_there_is_said_in_a_sentence(browser: Browser, serve: Serve, tournament: Path, address: str) -> None:
    tab = browser.new_page()
    answer = tab.goto(serve(tournament).url + address)
    assert answer is not None
    assert answer.status == 404
    expect(tab.get_by_role("heading", name="Not found")).to_be_visible()
    tab.close()


def test_studies_are_readable_without_javascript(browser: Browser, serve: Serve, tournament: Path) -> None:
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


def test_the_page_of_a_running_study_follows_it(page: Page, tmp_path: Path) -> None:
    code = (
        "import asyncio\nfrom agents.scripted import scripted\nfrom arena import Agent, Arm, Study, Subject\n"
        "from protocols.debate import debate\n"
        "async def slow(request):\n    await asyncio.sleep(0.1)\n    return '<speech>Said.</speech><rating>70%</rating>'\n"
        "def study() -> Study:\n    one = Agent('slow', scripted(slow))\n"
        "    motions = [Subject(f'This house would wait {n}.') for n in range(30)]\n"
        "    return Study('slow', [Arm('only', debate, [{'proposition': one, 'opposition': one}])], motions)\n"
    )
    (tmp_path / "slow.py").write_text(code)
    command = [sys.executable, "-m", "arena.cli", "run", "slow.py", "--concurrency", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not (tmp_path / "arena.duckdb").exists():
            assert run.poll() is None
        with viewer(tmp_path / "arena.duckdb") as served:
            page.goto(f"{served.url}/study/slow")
            expect(page.get_by_text("Follows the run")).to_be_visible()
            expect(page.get_by_text("The run has ended")).to_be_visible(timeout=60_000)
            expect(page.locator(".facts")).to_contain_text("30 done")
    finally:
        run.terminate()
        run.wait(10)
