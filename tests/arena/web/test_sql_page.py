"""Test the SQL page: box, result, chart, files, schema, saved queries, and hostile values."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from arena.errors import StoreError, StudyError
from arena.store.database import query
from arena.store.query import QueryLimits
from arena.store.result import QueryResult
from arena.store.saved_queries import read_saved_queries, saved_folder
from arena.store.tempdir import scratch
from arena.store.views.registry import CANNED
from arena.web.app import application
from arena.web.charts import choose, draw_chart
from arena.web.pages import PAGES
from arena.web.pages.sql import canned_queries, example_arguments, hides_simulated
from arena.web.queries import query_file, query_table
from arena.web.site import Site
from arena.web.words import render
from tests.arena.web.conftest import RunningViewer

# Each page takes a store, a server and seconds.
pytestmark = pytest.mark.slow

sql = dict((kind, make) for kind, _, make in PAGES)["sql"]


def made(db: Path, **words: str) -> str:
    """Return the page as HTML, for a reader with the token."""
    return render(Site(db), sql(Site(db), "", words), trusted=True)


def fetched(address: str) -> tuple[bytes, dict[str, str]]:
    """Return the (body, headers) of an answer."""
    with urllib.request.urlopen(address) as answer:
        return answer.read(), {name.lower(): value for name, value in answer.headers.items()}


def test_a_query_is_typed_and_run_and_its_address_can_be_sent(
    page: Page, serve: Callable[[Path], RunningViewer], tournament: Path
) -> None:
    page.goto(f"{serve(tournament).url}/sql")
    page.get_by_label("Query").fill("select 6 * 7 as answer, null as nothing")
    page.get_by_role("button", name="Run").press("Enter")
    expect(page.get_by_role("cell", name="42")).to_be_visible()
    expect(page.get_by_role("cell", name="NULL")).to_be_visible()
    expect(page).to_have_url(re.compile(r"q=select\+6"))
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
    assert {question: len(query(tournament, text).columns) > 0 for question, text in offered} == {
        question: True for question, _ in offered
    }


def test_a_result_is_taken_away_as_csv_json_and_parquet(
    serve: Callable[[Path], RunningViewer], tournament: Path, tmp_path: Path
) -> None:
    q = quote("select 'a,\"b' as x, 1.5 as y, null as z union all select 'ü', 2.5, 'w' order by y")
    body, headers = fetched(f"{serve(tournament).url}/sql.csv?q={q}")
    assert headers["content-disposition"] == 'attachment; filename="result.csv"'
    assert list(csv.reader(io.StringIO(body.decode())))[:2] == [
        ["x", "y", "z"],
        ['a,"b', "1.5", ""],
    ]
    assert json.loads(fetched(f"{serve(tournament).url}/sql.json?q={q}")[0])[1] == {
        "x": "ü",
        "y": 2.5,
        "z": "w",
    }
    (tmp_path / "r.parquet").write_bytes(fetched(f"{serve(tournament).url}/sql.parquet?q={q}")[0])
    assert duckdb.sql(f"from '{tmp_path / 'r.parquet'}'").fetchall()[1][0] == "ü"


def test_a_query_of_another_site_waits_in_the_box_until_it_is_run(
    page: Page, serve: Callable[[Path], RunningViewer], tournament: Path
) -> None:
    url = serve(tournament).url
    # Another port of the other name of this machine is another site.
    page.route(
        "http://elsewhere.test/",
        lambda route: route.fulfill(
            body=f'<a href="{url}/sql?q=select+42">look</a>', content_type="text/html"
        ),
    )
    page.goto("http://elsewhere.test/")
    page.get_by_role("link").click()
    expect(page.get_by_text("It has not been run")).to_be_visible()
    assert page.get_by_role("cell", name="42").count() == 0
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("cell", name="42")).to_be_visible()


def test_a_query_is_saved_with_the_token_and_found_again(
    page: Page, serve: Callable[[Path], RunningViewer], tournament: Path
) -> None:
    page.goto(f"{serve(tournament).url}/sql?q=select+1")
    assert page.get_by_role("button", name="Save").count() == 0
    page.goto(serve(tournament).with_token)
    page.goto(f"{serve(tournament).url}/sql?q=select+4711+as+cologne")
    page.get_by_label("Save this query as").fill("my-query")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("my-query")
    assert read_saved_queries(tournament)["my-query"].sql.strip() == "select 4711 as cologne"
    page.goto(f"{serve(tournament).url}/sql")
    page.get_by_role("link", name="my-query").click()
    expect(page.get_by_role("cell", name="4711")).to_be_visible()
    for file in saved_folder(tournament).iterdir():
        file.unlink()


def test_a_chart_is_drawn_of_what_fits_and_its_choice_stands_in_the_address(
    page: Page, serve: Callable[[Path], RunningViewer], tournament: Path
) -> None:
    page.goto(f"{serve(tournament).url}/sql?q=from+confidence_by_round")
    page.get_by_text("Chart", exact=True).click()
    page.get_by_label("Mark").select_option("line")
    page.get_by_label("Vertical axis").select_option("missing")
    page.get_by_role("button", name="Draw").click()
    expect(page).to_have_url(re.compile("chart=line"))
    picture = page.get_by_role("img", name="missing by phase")
    expect(picture).to_be_visible()
    page.wait_for_function("document.querySelector('img.drawn').naturalWidth > 100")


@pytest.mark.parametrize(
    ("columns", "rows", "expected"),
    [
        (("phase", "mean"), [("opening", 0.5), ("closing", 0.7)], ("bar", "phase", "mean", None)),
        (("n", "model", "rate"), [(3, "a", 0.5), (4, "b", 0.25)], ("bar", "model", "rate", None)),
        (("x", "y"), [(1, 2), (2, 3)], ("point", "x", "y", None)),
        (
            ("phase", "seat", "mean"),
            [("a", "p", 0.5), ("a", "o", 0.5), ("b", "p", 1.0)],
            ("bar", "phase", "mean", "seat"),
        ),
        (("name",), [("a",)], None),
        (("name", "nothing"), [("a", None)], None),
    ],
)
def test_the_chart_is_chosen_by_the_types_of_the_columns(
    columns: tuple[str, ...], rows: list[tuple[object, ...]], expected: object
) -> None:
    found = choose(QueryResult(columns, tuple(rows)), {})
    assert (found and (found.mark, found.x, found.y, found.colour)) == expected


def test_a_chart_that_cannot_be_is_said() -> None:
    table = QueryResult(("a", "b"), (("x", 1),))
    with pytest.raises(StudyError, match="chart must be one of bar, line, point"):
        choose(table, {"chart": "pie"})
    with pytest.raises(StudyError, match="y must be one of b"):
        choose(table, {"y": "a"})


@pytest.mark.parametrize(
    "q",
    [
        "[1,2] as a, 1 as b",
        "{'a':[{'b':1}]} s, 1 b",
        "map {[1]:2} m, 1 n",
        "map {date '2020-01-01':1} m",
        "['nan'::double] a",
    ],
)
def test_nested_values_are_shown_and_drawn(tournament: Path, q: str) -> None:
    assert "1 rows" in made(tournament, q=f"select {q}")


def test_many_names_are_not_all_drawn() -> None:
    table = QueryResult(("name", "y"), tuple((f"n{i}", i) for i in range(3_000)))
    chosen = choose(table, {})
    assert chosen is not None
    svg = draw_chart(table, chosen, simulated=False)
    assert "2,940 of 3,000 rows left out" in svg
    assert "the first 60 of 3,000 names" in svg


def test_values_of_a_query_come_from_its_process_as_they_are(tournament: Path) -> None:
    assert query_table(
        tournament, "select [date '2020-01-01'], 1.5::decimal(9,1)", QueryLimits()
    ).rows == (([date(2020, 1, 1)], Decimal("1.5")),)


def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(tournament: Path) -> None:
    before = set(scratch().iterdir())
    with pytest.raises(StoreError, match="larger than 64 MB"):
        query_file(
            tournament, "select repeat('x', 100000) from range(100000)", "csv", QueryLimits()
        )
    assert set(scratch().iterdir()) <= before


def test_a_fault_in_a_page_is_a_sentence_with_our_headers(
    tournament: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arena.web.app.make_document", lambda *given: 1 / 0)
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/sql",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "root_path": "",
    }

    async def keep(message: dict[str, Any]) -> None:
        sent.append(message)

    async def stay() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    answering = application(tournament)(scope, stay, keep)
    # In a thread, since Playwright runs a loop in this one; the server prints the error.
    with ThreadPoolExecutor(1) as thread, pytest.raises(ZeroDivisionError):
        thread.submit(asyncio.run, answering).result()
    assert sent[0]["status"] == 500
    assert b"content-security-policy" in dict(sent[0]["headers"])
    assert b"fault in the program" in sent[1]["body"]
    assert b"ZeroDivision" not in sent[1]["body"]


def test_a_result_that_does_not_say_which_rows_are_simulated_says_that(tournament: Path) -> None:
    mixed = {"real": False, "made-up": True}
    assert hides_simulated(QueryResult(("n",), ((1,),)), mixed)
    assert hides_simulated(QueryResult(("study",), (("other",),)), mixed)
    assert not hides_simulated(QueryResult(("study",), (("real",),)), mixed)
    assert not hides_simulated(QueryResult(("n",), ((1,),)), {"made-up": True})


def test_a_picture_holds_hostile_names_as_text_and_counts_what_it_leaves_out() -> None:
    table = QueryResult(
        ("<b>'.[0]", "y"),
        (("</text><script>alert(1)</script>", 1.0), ("b", float("nan")), ("c", None)),
    )
    chosen = choose(table, {})
    assert chosen is not None
    svg = draw_chart(table, chosen, simulated=True)
    assert "<script" not in svg
    assert "2 of 3 rows left out" in svg
    assert "SIMULATED" in svg


def test_hostile_cells_are_shown_and_an_endless_one_is_cut(tournament: Path) -> None:
    q = (
        "select '<script>alert(1)</script>' || chr(27) || '[31m' || chr(8238) as x,"
        " repeat('y', 5000000) as \"<img src=x>\""
    )
    text = made(tournament, q=q)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "U+001B" in text
    assert "U+202E" in text
    assert "&lt;img src=x&gt;</th>" in text
    assert len(text) < 2_000_000
    assert "more characters" in text


def test_results_of_simulated_studies_are_labelled(tournament: Path, published_store: Path) -> None:
    assert "SIMULATED</strong>" in made(tournament, q="select 1")
    assert "SIMULATED" not in made(published_store, q="select 1").partition("Example queries")[0]


def test_the_page_has_no_violations_of_accessibility(
    page: Page, serve: Callable[[Path], RunningViewer], tournament: Path
) -> None:
    page.goto(serve(tournament).with_token)
    for q in (
        "",
        "?q=from+confidence_by_round&chart=bar",
        "?q=selec",
        "?q=select+episode,text,prompt+from+turns+limit+120",
    ):
        page.goto(f"{serve(tournament).url}/sql{q}")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
