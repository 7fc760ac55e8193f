"""Test what the viewer refuses over HTTP: other hosts and sites, tokenless changes, files."""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

import arena.web.pages
from arena.store.query import QueryLimits
from arena.store.saved_queries import saved_folder
from arena.web.site import Site
from tests.arena.web.conftest import RunningViewer, viewer
from tests.arena.web.private_words import plant

# Servers, and queries in processes of their own: seconds each.
pytestmark = pytest.mark.slow

FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Answer:
    """An answer over HTTP."""

    status: int
    headers: dict[str, str]
    text: str


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small store of this module alone, since its bytes are compared."""
    return plant(tmp_path_factory.mktemp("guarded") / "guarded.duckdb")


@pytest.fixture(scope="module")
def served(store: Path) -> Iterator[RunningViewer]:
    """Yield its viewer; at the end the store must be unchanged to the byte."""
    before = store.read_bytes()
    with viewer(store) as running:
        yield running
    assert store.read_bytes() == before
    assert sorted(file.name for file in store.parent.iterdir() if file != saved_folder(store)) == [
        "guarded.duckdb",
        "guarded.duckdb.journal",
    ]


@pytest.fixture
def ask(served: RunningViewer) -> Callable[..., Answer]:
    """Return `ask(path, method, headers, body)`, a raw request that a browser might refuse."""
    where = urlsplit(served.url)

    def asked(
        path: str,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: str | None = None,
    ) -> Answer:
        """Send the request and return its answer."""
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        try:
            text = answer.read().decode("utf-8", "replace")
        except ConnectionResetError:  # refused in the middle of what we sent
            text = ""
        connection.close()
        return Answer(
            answer.status, {name.lower(): value for name, value in answer.getheaders()}, text
        )

    return asked


def token_of(served: RunningViewer) -> str:
    """Return the token of this start."""
    return parse_qs(urlsplit(served.with_token).query)["token"][0]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8050",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "[::2]",
        "[",
    ],
)
def test_another_host_is_refused(ask: Callable[..., Answer], host: str) -> None:
    assert ask("/", headers={"host": host}).status == 400


def test_loopback_names_are_answered(ask: Callable[..., Answer]) -> None:
    for host in ("localhost:1", "127.0.0.1", "[::1]:80"):
        assert ask("/", headers={"host": host}).status == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1", "http://[", ""],
)
def test_another_origin_is_refused(ask: Callable[..., Answer], origin: str) -> None:
    assert ask("/", headers={"origin": origin}).status == 403


@pytest.mark.parametrize("mode", ["no-cors", "cors", "same-origin", "websocket"])
def test_other_sites_get_no_subresource_and_may_only_lead_here(
    ask: Callable[..., Answer], mode: str
) -> None:
    assert (
        ask(
            "/sql.svg?q=select+1", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": mode}
        ).status
        == 403
    )
    assert (
        ask("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}).status
        == 200
    )


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_query_that_others_lead_to_is_not_run_whether_as_page_or_as_file(
    ask: Callable[..., Answer], site: str
) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": "navigate"}
    page = ask("/sql?q=select+6*7+as+x", headers=headers)
    assert "not been run" in page.text
    assert ">42<" not in page.text
    for kind in ("csv", "json", "parquet", "svg"):
        assert ask(f"/sql.{kind}?q=select+6*7+as+x", headers=headers).status == 404
    assert ">42<" in ask("/sql?q=select+6*7+as+x").text


def test_a_change_needs_the_token_and_our_own_origin(
    ask: Callable[..., Answer], served: RunningViewer, store: Path
) -> None:
    body, own = urlencode({"name": "mine", "q": "select 1"}), {"origin": served.url}
    cookie = {"cookie": f"arena_token={token_of(served)}"}
    assert ask("/sql/save", "POST", {**FORM, **own}, body).status == 403
    assert (
        ask("/sql/save", "POST", {**FORM, **own, "cookie": "arena_token=guess"}, body).status == 403
    )
    assert ask("/sql/save", "POST", {**FORM, **cookie}, body).status == 403
    assert (
        ask("/sql/save", "POST", {**FORM, **cookie, "origin": "http://evil.example"}, body).status
        == 403
    )
    assert ask(f"/sql/save?token={token_of(served)}", "POST", {**FORM, **own}, body).status == 403
    assert not saved_folder(store).exists()
    assert ask("/sql/save", "POST", {**FORM, **own, **cookie}, body).status == 303
    assert [file.name for file in saved_folder(store).iterdir()] == ["mine.sql"]


@pytest.mark.parametrize("name", ["", "../up", "a/b", "A", "x" * 61, ".hidden", "mine.sql", "\x00"])
def test_a_query_is_saved_under_a_plain_name_or_not_at_all(
    ask: Callable[..., Answer], served: RunningViewer, store: Path, name: str
) -> None:
    headers = {**FORM, "origin": served.url, "cookie": f"arena_token={token_of(served)}"}
    answer = ask("/sql/save", "POST", headers, urlencode({"name": name, "q": "select 1"}))
    assert answer.status == 400
    assert "1 to 60" in answer.text
    assert {file.name for file in store.parent.rglob("*.sql")} <= {"mine.sql"}


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/%5Cevil.example/", "///evil.example", "/%2F/evil.example"]
)
def test_the_token_leads_to_no_other_host(ask: Callable[..., Answer], path: str) -> None:
    answer = ask(f"{path}?token=x")
    assert answer.status == 303
    assert answer.headers["location"].startswith("/evil.example")


def test_a_form_that_is_too_large_is_refused(
    ask: Callable[..., Answer], served: RunningViewer
) -> None:
    headers = {**FORM, "origin": served.url, "cookie": f"arena_token={token_of(served)}"}
    assert ask("/sql/save", "POST", headers, "name=big&q=" + "x" * 5_000_000).status == 413
    assert ask("/sql/save", "POST", headers, "name=big&q=" + "x" * 1_500_000).status == 400


def test_the_token_leaves_the_address_bar_and_no_script_can_read_it(
    page: Page, served: RunningViewer
) -> None:
    page.goto(served.with_token)
    assert page.url == f"{served.url}/"
    expect(page.get_by_role("heading", name="Studies")).to_be_visible()
    [cookie] = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")


def test_a_wrong_token_gives_no_cookie(ask: Callable[..., Answer]) -> None:
    for token in ("guess", "%ff", "é", "a" * 5000):
        answer = ask(f"/?token={quote(token, safe='%')}")
        assert answer.status == 303
        assert "set-cookie" not in answer.headers


def test_nobody_on_another_address_is_answered(served: RunningViewer) -> None:
    port = urlsplit(served.url).port or 0
    with pytest.raises(OSError):
        http.client.HTTPConnection("127.0.0.2", port, timeout=5).connect()


PATHS = [
    "/",
    "/study/planted",
    "/study/none",
    "/nowhere",
    "/static/style.css",
    "/static/none.css",
    "/sql?q=selec",
    "/sql.csv?q=selec",
    "/compare",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_forbids_scripts_of_others_frames_and_guessing_types(
    ask: Callable[..., Answer], path: str
) -> None:
    answer = ask(path)
    assert answer.status in (200, 404, 503)
    policy = answer.headers["content-security-policy"]
    for rule in (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    ):
        assert rule in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "onerror=" not in answer.text


@pytest.mark.parametrize("path", ["/", "/static/style.css"])
@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}])
def test_refusals_carry_the_same_headers(
    ask: Callable[..., Answer], path: str, headers: dict[str, str]
) -> None:
    assert "default-src 'none'" in ask(path, headers=headers).headers["content-security-policy"]


@pytest.mark.parametrize(
    "up", ["..", "%2e%2e", "..%2f", "%2e%2e%2f", "..%5c", "....//", "/etc", "%00"]
)
def test_no_path_leads_out_of_the_static_files(ask: Callable[..., Answer], up: str) -> None:
    for path in (
        f"/static/{up}/guard.py",
        f"/static/{up}/{up}/{up}/{up}/etc/passwd",
        f"/text/{up}/etc/passwd?seat=a&step=0",
    ):
        answer = ask(path)
        assert answer.status in (400, 404)
        assert "root:" not in answer.text
        assert "class Guard" not in answer.text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_methods_are_refused(ask: Callable[..., Answer], method: str) -> None:
    assert ask("/", method).status == 405


@pytest.mark.parametrize("path", ["/", "/sql", "/study/planted", "/static/style.css"])
def test_a_post_to_a_page_that_changes_nothing_is_refused(
    ask: Callable[..., Answer], served: RunningViewer, path: str
) -> None:
    headers = {**FORM, "origin": served.url, "cookie": f"arena_token={token_of(served)}"}
    assert ask(path, "POST", headers, "x=1").status == 405


ODD = [
    "%ff%fe",
    "%00",
    "%ed%a0%80",
    "%F0%9F%98%80",
    "%",
    "%zz",
    "a" * 5000,
    "'--",
    "%0d%0aset-cookie:x=1",
    "{{7*7}}",
    "%e2%80%ae",
]


@pytest.mark.parametrize("odd", ODD)
def test_odd_addresses_are_no_error_of_the_server(ask: Callable[..., Answer], odd: str) -> None:
    paths = [
        f"/{kind}/{odd}?seat={odd}&step={odd}&what={odd}&figure={odd}"
        for kind in ("study", "call", "text", "debate", "question", "figure", "figure.svg")
    ]
    paths += [
        f"/sql?q={odd}&page={odd}",
        f"/sql?q=select+1&chart={odd}&x={odd}&y={odd}",
        f"/compare?a={odd}&b={odd}&by={odd}",
        f"/?{odd}={odd}",
    ]
    assert {path: answer.status for path in paths if (answer := ask(path)).status >= 500} == {}


def test_a_very_long_address_is_refused_and_the_next_one_answered(
    ask: Callable[..., Answer],
) -> None:
    assert 400 <= ask("/sql?q=" + "a" * 200_000).status < 500
    assert "too long for this page" in ask("/sql?q=" + "a" * 40_000).text
    assert ask("/").status == 200


REACHING = {
    "read a file": "from read_csv('/etc/passwd')",
    "read by name": "from '/etc/passwd'",
    "read text": "from read_text('/etc/hostname')",
    "list files": "from glob('/etc/*')",
    "write a file": "copy (select 1) to '{folder}/out.csv'",
    "export": "export database '{folder}/out'",
    "attach": "attach '{folder}/other.duckdb'",
    "attach to write": "detach store; attach '{db}' as store",
    "install": "install httpfs",
    "load": "load httpfs",
    "network": "from read_csv('https://example.com/x.csv')",
    "settings": "set enable_external_access = true",
    "write the store": "insert into store.runs (run) values ('x')",
    "drop": "drop table store.turns",
    "update": "update store.turns set public = 'changed'",
    "environment": "select getenv('HOME')",
    "python": "from os",
}


# Each query runs in a process of its own, so that four of a kind are quick tests.
FIRST = ("read a file", "write a file", "attach to write", "settings")


@pytest.mark.parametrize(
    "what",
    [
        *FIRST,
        *(pytest.param(what, marks=pytest.mark.slow) for what in REACHING if what not in FIRST),
    ],
)
def test_a_query_reaches_no_file_no_network_and_writes_nothing(
    ask: Callable[..., Answer], store: Path, what: str
) -> None:
    q = quote(REACHING[what].format(folder=store.parent, db=store))
    page = ask(f"/sql?q={q}")
    assert page.status == 200
    assert 'role="alert"' in page.text
    assert "root:" not in page.text
    for kind in ("csv", "json", "parquet"):
        answer = ask(f"/sql.{kind}?q={q}")
        assert answer.status in (404, 503)
        assert "root:" not in answer.text
    assert not list(store.parent.glob("out*")) + list(store.parent.glob("other*"))


@pytest.mark.parametrize(
    ("limits", "query", "words"),
    [
        (
            QueryLimits(seconds=0.3),
            "select sum(sin(a.range * b.range)) from range(10000000) a, range(1000000) b",
            "longer than 0.3 s",
        ),
        (
            QueryLimits(memory_mb=20),
            "select max(x) from (select distinct md5(i::varchar) x from range(5000000) t(i))",
            "more than 20 MB",
        ),
    ],
)
def test_a_query_that_takes_too_much_is_stopped(
    store: Path, monkeypatch: pytest.MonkeyPatch, limits: QueryLimits, query: str, words: str
) -> None:
    monkeypatch.setattr(sys.modules["arena.web.pages.sql"], "PAGE_LIMITS", limits)
    page = dict((kind, make) for kind, _, make in arena.web.pages.PAGES)["sql"](
        Site(store), "", {"q": query}
    )
    assert words in page.content.complaint[0]
    assert page.content.result is None


def test_the_database_was_only_read(
    store: Path, served: RunningViewer, ask: Callable[..., Answer]
) -> None:
    before = (store.stat().st_mtime_ns, os.path.getsize(store))
    for path in PATHS:
        ask(path)
    assert (store.stat().st_mtime_ns, os.path.getsize(store)) == before
