"""The viewer as a web application: addresses to pages and files, answers only where something has changed, errors as sentences."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from arena.errors import ArenaError, StoreError
from arena.store.saved_queries import MAX_BYTES, save
from arena.web.guard import Guard
from arena.web.pages import FILES, PAGES
from arena.web.pages.sql import FROM_ELSEWHERE
from arena.web.site import Document, Page, Query, Site, has_open_run, store_fingerprint
from arena.web.words import render

STATIC = Path(__file__).with_name("static")
# Pages that are kept, and the bytes of the largest of them: a file that was taken away is not asked for again.
CACHED_PAGES, CACHED_PAGE_BYTES = 64, 2**20
HTML = "text/html; charset=utf-8"
PageMaker = Callable[[Site, str, Query], Page | Document]
StatusAndDocument = tuple[int, Document]


def application(db: Path, token: str | None = None) -> Guard:
    """The viewer of a store, to be served on loopback; `token` is what changes need, drawn where none is given."""
    site = Site(db)
    kept = page_cache(site)
    kinds = [*PAGES, *FILES]
    routes: list[Route | Mount] = [
        Route(address, serve(site, make, kept), methods=["GET"]) for _, address, make in kinds
    ]
    routes.append(Route("/sql/save", save_handler(site), methods=["POST"]))
    routes.append(Mount("/static", StaticFiles(directory=STATIC)))

    async def answer_fault(request: Request, error: Exception) -> Response:
        """The page of an error that nobody has thought of; the server prints where it was."""
        words = "This page could not be made: there is a fault in the program. The terminal of arena view says where."
        page = render(site, Page("error.html", "Something went wrong", {"words": words}))
        return Response(page.encode(), 500, media_type=HTML)

    return Guard(
        Starlette(routes=routes, exception_handlers={Exception: answer_fault}),
        token or secrets.token_urlsafe(24),
    )


def page_cache(site: Site) -> Callable[..., StatusAndDocument]:
    """The function that makes what is asked for, and gives it again as long as the store is the same; the latest KEPT small ones."""
    found: dict[tuple[object, ...], StatusAndDocument] = {}

    def get_or_make(
        make: PageMaker, name: str, query: tuple[tuple[str, str], ...], trusted: bool, moment: str
    ) -> StatusAndDocument:
        """(HTTP status, document)."""
        key = (make, name, query, trusted, moment)
        if (before := found.get(key)) is not None:
            return before
        now = make_document(site, make, name, query, trusted)
        # An error may pass while the store stays the same: it is busy, or somebody holds it.
        if now[0] == 200 and len(now[1].content) <= CACHED_PAGE_BYTES:
            found[key] = now
            for oldest in list(found)[:-CACHED_PAGES]:
                found.pop(oldest, None)
        return now

    return get_or_make


def serve(
    site: Site, make: PageMaker, cache: Callable[..., StatusAndDocument]
) -> Callable[[Request], Awaitable[Response]]:
    """The handler of one kind of address: 304 where the reader's copy still holds, else what is made once for every state of the store."""

    async def handler(request: Request) -> Response:
        name, given = str(request.path_params.get("name", "")), dict(request.query_params)
        if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            # A page of somebody else has led the reader here; the page of SQL then waits for a word of the reader's own.
            given["from"] = FROM_ELSEWHERE
        query = tuple(sorted(given.items()))
        moment, trusted = store_fingerprint(site.db), bool(request.scope.get("trusted"))
        etag = f'"{hashlib.sha256(repr((moment, trusted, name, query)).encode()).hexdigest()[:20]}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        status, document = await run_in_threadpool(cache, make, name, query, trusted, moment)
        headers = {"etag": etag} if status == 200 else {}
        if document.download:
            headers["content-disposition"] = f'attachment; filename="{document.download}"'
        return Response(document.content, status, headers, document.media_type)

    return handler


def save_handler(site: Site) -> Callable[[Request], Awaitable[Response]]:
    """The handler that saves a query beside the store, and leads back to it; the guard has asked for the token."""

    async def handler(request: Request) -> Response:
        given = parse_qs((await body(request)).decode("utf-8", "replace"))
        text, name = (given.get(what, [""])[0] for what in ("q", "name"))
        try:
            await run_in_threadpool(save, site.db, name, text, replace="replace" in given)
        except ArenaError as error:
            page = render(site, Page("error.html", "Not saved", {"words": str(error)}))
            return Response(page.encode(), 400, media_type=HTML)
        return RedirectResponse(site.link("sql", "", {"q": text, "saved": name}), 303)

    return handler


async def body(request: Request) -> bytes:
    """What a form has sent, up to what a query may be and as much again for its encoding."""
    sent = bytearray()
    async for piece in request.stream():
        sent += piece
        if len(sent) > 4 * MAX_BYTES:
            raise HTTPException(413, "too much")
    return bytes(sent)


def make_document(
    site: Site, make: PageMaker, name: str, query: tuple[tuple[str, str], ...], trusted: bool
) -> StatusAndDocument:
    """(HTTP status, document): what was asked for, or a page that says in a sentence why it is not there."""
    status = 200
    # Before the store is read, so that the last page of a run has its last words.
    following = has_open_run(site.db)
    try:
        found = make(site, name, dict(query))
        if isinstance(found, Document):
            return status, found
    except ArenaError as error:
        status = 503 if isinstance(error, StoreError) else 404
        found = Page(
            "error.html", "Not found" if status == 404 else "Cannot be read", {"words": str(error)}
        )
    return status, Document(render(site, found, trusted=trusted, running=following).encode(), HTML)
