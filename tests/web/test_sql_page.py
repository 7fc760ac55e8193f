"""The page of SQL: box, result, chart, files, what there is to ask about, and saved queries; hostile values as text."""

from __future__ import annotations

import csv
import io
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from arena.canned import CANNED
from arena.errors import StudyError
from arena.querying import Table
from arena.saved import saved, saved_folder
from arena.store import query
from arena.web.charts import choose, drawing
from arena.web.pages import PAGES
from arena.web.pages.sql import canned_queries, example_arguments
from arena.web.site import Site
from arena.web.words import render
from tests.web.conftest import Served

sql = dict((kind, make) for kind, _, make in PAGES)["sql"]


def made(db: Path, **words: str) -> str:
    """The page as HTML, for a reader with the token."""
    return render(Site(db), sql(Site(db), "", words), {"trusted": True})


def fetched(address: str) -> tuple[bytes, dict[str, str]]:
    """(body, headers) of an answer."""
    with urllib.request.urlopen(address) as answer:
        return answer.read(), {name.lower(): value for name, value in answer.headers.items()}


def test_a_query_is_typed_and_run_and_its_address_can_be_sent(page: Page, serve: Callable[[Path], Served], tournament: Path) -> None:
    page.goto(f"{serve(tournament).url}/sql")
    page.get_by_label("Query").fill("select 6 * 7 as answer, null as nothing")
    page.get_by_role("button", name="Run").press("Enter")
    expect(page.get_by_role("cell", name="42")).to_be_visible()
    expect(page.get_by_role("cell", name="NULL")).to_be_visible()
    assert "q=select+6" in page.url
    page.goto(page.url)
    expect(page.get_by_role("cell", name="42")).to_be_visible()


def test_rows_are_paged_and_counted(tournament: Path) -> None:
    text = made(tournament, q="select i from range(250) t(i)", page="3")
    assert "250 rows" in text
    assert "page 3 of 3" in text
    assert '<td class="n">249</td>' in text
    assert '<td class="n">199</td>' not in text
    assert "10,000 rows, and more" in made(tournament, q="select i from range(20000) t(i)")


def test_a_wrong_query_says_why_in_a_sentence_with_the_place(tournament: Path) -> None:
    text = made(tournament, q="select frm turns")
    before = text.partition("<form")[0]
    assert "the query failed: Binder Error" in before
    assert "^" in before
    assert "select frm turns</textarea>" in text


def test_every_table_view_and_macro_is_described_with_its_columns(tournament: Path) -> None:
    text = made(tournament)
    for name in ("turns", "confidence_by_round", "transcript(id)", "confidence_status"):
        assert f"<code>{name}</code>" in text
    assert "what others may read; NULL: no readable speech" in text
    assert all(canned.question.replace("'", "&#39;") in text for canned in CANNED.values())


def test_every_canned_query_runs_as_the_page_offers_it(tournament: Path) -> None:
    with Site(tournament).store(()) as ask:
        offered = canned_queries(example_arguments(ask))
    assert {question: len(query(tournament, text).columns) > 0 for question, text in offered} == {question: True for question, _ in offered}


def test_a_result_is_taken_away_as_csv_json_and_parquet(serve: Callable[[Path], Served], tournament: Path, tmp_path: Path) -> None:
    q = quote("select 'a,\"b' as x, 1.5 as y, null as z union all select 'ü', 2.5, 'w' order by y")
    body, headers = fetched(f"{serve(tournament).url}/sql.csv?q={q}")
    assert headers["content-disposition"] == 'attachment; filename="result.csv"'
    assert list(csv.reader(io.StringIO(body.decode())))[:2] == [["x", "y", "z"], ['a,"b', "1.5", ""]]
    assert json.loads(fetched(f"{serve(tournament).url}/sql.json?q={q}")[0])[1] == {"x": "ü", "y": 2.5, "z": "w"}
    (tmp_path / "r.parquet").write_bytes(fetched(f"{serve(tournament).url}/sql.parquet?q={q}")[0])
    assert duckdb.sql(f"from '{tmp_path / 'r.parquet'}'").fetchall()[1][0] == "ü"


def test_a_query_of_another_site_waits_in_the_box_until_it_is_run(page: Page, serve: Callable[[Path], Served], tournament: Path) -> None:
    url = serve(tournament).url
    # Another port of the other name of this machine is another site.
    page.route(
        "http://elsewhere.test/", lambda route: route.fulfill(body=f'<a href="{url}/sql?q=select+42">look</a>', content_type="text/html")
    )
    page.goto("http://elsewhere.test/")
    page.get_by_role("link").click()
    expect(page.get_by_text("It has not been run")).to_be_visible()
    assert page.get_by_role("cell", name="42").count() == 0
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("cell", name="42")).to_be_visible()


def test_a_query_is_saved_with_the_token_and_found_again(page: Page, serve: Callable[[Path], Served], tournament: Path) -> None:
    page.goto(f"{serve(tournament).url}/sql?q=select+1")
    assert page.get_by_role("button", name="Save").count() == 0
    page.goto(serve(tournament).with_token)
    page.goto(f"{serve(tournament).url}/sql?q=select+4711+as+cologne")
    page.get_by_label("Save this query as").fill("my-query")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("my-query")
    assert saved(tournament)["my-query"].sql.strip() == "select 4711 as cologne"
    page.goto(f"{serve(tournament).url}/sql")
    page.get_by_role("link", name="my-query").click()
    expect(page.get_by_role("cell", name="4711")).to_be_visible()
    for file in saved_folder(tournament).iterdir():
        file.unlink()


def test_a_chart_is_drawn_of_what_fits_and_its_choice_stands_in_the_address(
    page: Page, serve: Callable[[Path], Served], tournament: Path
) -> None:
    page.goto(f"{serve(tournament).url}/sql?q=from+confidence_by_round")
    page.get_by_text("Chart", exact=True).click()
    page.get_by_label("Marks").select_option("line")
    page.get_by_label("Up").select_option("missing")
    page.get_by_role("button", name="Draw").click()
    assert "chart=line" in page.url
    picture = page.get_by_role("img", name="missing by phase")
    expect(picture).to_be_visible()
    page.wait_for_function("document.querySelector('img.drawn').naturalWidth > 100")


@pytest.mark.parametrize(
    ("columns", "rows", "expected"),
    [
        (("phase", "mean"), [("opening", 0.5), ("closing", 0.7)], ("bar", "phase", "mean", None)),
        (("n", "model", "rate"), [(3, "a", 0.5), (4, "b", 0.25)], ("bar", "model", "rate", None)),
        (("x", "y"), [(1, 2), (2, 3)], ("point", "x", "y", None)),
        (("phase", "seat", "mean"), [("a", "p", 0.5), ("a", "o", 0.5), ("b", "p", 1.0)], ("bar", "phase", "mean", "seat")),
        (("name",), [("a",)], None),
        (("name", "nothing"), [("a", None)], None),
    ],
)
def test_the_chart_is_chosen_by_the_types_of_the_columns(columns: tuple[str, ...], rows: list[tuple[object, ...]], expected: object) -> None:
    found = choose(Table(columns, tuple(rows)), {})
    assert (found and (found.mark, found.x, found.y, found.colour)) == expected


def test_a_chart_that_cannot_be_is_said() -> None:
    table = Table(("a", "b"), (("x", 1),))
    with pytest.raises(StudyError, match="chart must be one of bar, line, point"):
        choose(table, {"chart": "pie"})
    with pytest.raises(StudyError, match="y must be one of b"):
        choose(table, {"y": "a"})


def test_a_picture_holds_hostile_names_as_text_and_counts_what_it_leaves_out() -> None:
    table = Table(("<b>'.[0]", "y"), (("</text><script>alert(1)</script>", 1.0), ("b", float("nan")), ("c", None)))
    chosen = choose(table, {})
    assert chosen is not None
    svg = drawing(table, chosen, simulated=True)
    assert "<script" not in svg
    assert "2 of 3 rows left out" in svg
    assert "SIMULATED" in svg


def test_hostile_cells_are_shown_and_an_endless_one_is_cut(tournament: Path) -> None:
    q = "select '<script>alert(1)</script>' || chr(27) || '[31m' || chr(8238) as x, repeat('y', 5000000) as \"<img src=x>\""
    text = made(tournament, q=q)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "U+001B" in text
    assert "U+202E" in text
    assert "&lt;img src=x&gt;</th>" in text
    assert len(text) < 2_000_000
    assert "more characters" in text


def test_results_of_simulated_studies_are_labelled(tournament: Path, published: Path) -> None:
    assert "SIMULATED</strong>" in made(tournament, q="select 1")
    assert "SIMULATED" not in made(published, q="select 1").partition("Queries to start from")[0]


def test_the_page_has_no_violations_of_accessibility(page: Page, serve: Callable[[Path], Served], tournament: Path) -> None:
    page.goto(serve(tournament).with_token)
    for q in ("", "?q=from+confidence_by_round&chart=bar", "?q=selec", "?q=select+episode,text,prompt+from+turns+limit+120"):
        page.goto(f"{serve(tournament).url}/sql{q}")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
