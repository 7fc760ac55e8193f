"""The viewer as a web application: routes, a cache of pages, and errors as sentences.

Pages are made in lanes (lanes.py): queries, which may take their whole time, in one of their own.
Work of readers who are gone ends, and what is too much is answered with 503.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
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
from arena.web.lanes import RETRY_AFTER_S, BusyError, Lane
from arena.web.pages import FILES, KEYS, PAGES
from arena.web.pages.sql import FROM_ELSEWHERE
from arena.web.site import Document, ErrorContent, Page, PageFunction, Site, has_open_run
from arena.web.words import render

STATIC = Path(__file__).with_name("static")
# Limits of the cache.  Downloads are larger, and nobody asks for the same one twice.
CACHED_PAGES = 64
CACHED_PAGE_BYTES = 2**20
HTML = "text/html; charset=utf-8"
# Pages take turns at the store anyhow; a query may take the memory of its limits, and all cores.
PAGES_AT_ONCE, PAGES_WAITING = 4, 64
QUERIES_AT_ONCE, QUERIES_WAITING = 2, 8
BUSY = "there is more to do than this viewer can; try again in a moment"
BUSY_QUERIES = "two queries are running, and more wait; try again when one has ended"
QueryItems = tuple[tuple[str, str], ...]
StatusAndDocument = tuple[int, Document]
# A page function, name, query, trusted, fingerprint of the store: all that a page depends on.
PageKey = tuple[PageFunction, str, QueryItems, bool, str]


def application(db: Path, token: str | None = None) -> Guard:
    """Return the viewer of a store, to be served on loopback.

    `token` is required for changes; None draws a new one.
    """
    site = Site(db)
    desk = Desk(site)
    routes: list[Route | Mount] = [
        Route(address, serve(desk, make, KEYS[kind]), methods=["GET"])
        for kind, address, make in (*PAGES, *FILES)
    ]
    routes.append(Route("/sql/save", save_handler(site), methods=["POST"]))
    routes.append(Mount("/static", StaticFiles(directory=STATIC)))

    async def answer_fault(request: Request, error: Exception) -> Response:
        """Answer an unforeseen error with a page; the server prints the traceback."""
        words = (
            "This page could not be made because of a fault in the program."
            " The terminal in which arena view runs shows the traceback."
        )
        return error_page(site, "Something went wrong", words, 500)

    return Guard(
        Starlette(routes=routes, exception_handlers={Exception: answer_fault}),
        token or secrets.token_urlsafe(24),
    )


class Desk:
    """The pages of a site: made in lanes, and the latest kept while the store is the same.

    The latest CACHED_PAGES documents of at most CACHED_PAGE_BYTES are kept.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.kept: dict[PageKey, StatusAndDocument] = {}
        self.pages = Lane(PAGES_AT_ONCE, PAGES_WAITING, BUSY)
        self.queries = Lane(QUERIES_AT_ONCE, QUERIES_WAITING, BUSY_QUERIES)

    async def get(self, key: PageKey) -> StatusAndDocument:
        """Return a document, kept or made.  Raises BusyError if there is too much to do."""
        if (kept := self.kept.get(key)) is not None:
            return kept
        make, name, query, trusted, _ = key
        words = dict(query)
        # Only pages of queries know the key; one that another site has linked to is not run.
        slow = words.get("q", "").strip() and words.get("from") != FROM_ELSEWHERE
        lane = self.queries if slow else self.pages
        made: StatusAndDocument = await lane.share(
            key, partial(make_document, self.site, make, name, query, trusted)
        )
        status, document = made
        # An error may pass while the store stays the same: it is busy, or locked by a writer.
        if status == 200 and len(document.content) <= CACHED_PAGE_BYTES:
            self.kept[key] = made
            # Dicts keep the order of insertion.
            for oldest in list(self.kept)[:-CACHED_PAGES]:
                del self.kept[oldest]
        return made


def serve(
    desk: Desk, make: PageFunction, keys: tuple[str, ...]
) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler of one kind of address; it answers 304 to a reader with a valid copy."""
    site = desk.site

    async def handler(request: Request) -> Response:
        name = str(request.path_params.get("name", ""))
        parameters = {key: request.query_params[key] for key in keys if key in request.query_params}
        if "from" in keys and request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            # A page of another site has led the reader here: the SQL page must not run its query.
            parameters["from"] = FROM_ELSEWHERE
        query = tuple(sorted(parameters.items()))
        fingerprint = site.fingerprint()
        trusted = bool(request.scope.get("trusted"))
        # Everything that a page depends on, so a valid copy is never out of date.
        state = repr((fingerprint, trusted, name, query))
        etag = f'"{hashlib.sha256(state.encode()).hexdigest()[:20]}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        try:
            made = await while_reader_waits(
                request, desk.get((make, name, query, trusted, fingerprint))
            )
        except BusyError as error:
            answer = error_page(site, "Busy", str(error), 503)
            answer.headers["retry-after"] = str(RETRY_AFTER_S)
            return answer
        if made is None:
            return Response(status_code=499)  # nobody reads it
        status, document = made
        headers = {"etag": etag} if status == 200 else {}
        if document.download:
            headers["content-disposition"] = f'attachment; filename="{document.download}"'
        return Response(document.content, status, headers, document.media_type)

    return handler


async def while_reader_waits(
    request: Request, making: Coroutine[Any, Any, StatusAndDocument]
) -> StatusAndDocument | None:
    """Return what is made, or cancel it and return None when the reader closes the connection."""

    async def wait_for_end() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    made, gone = asyncio.create_task(making), asyncio.create_task(wait_for_end())
    await asyncio.wait((made, gone), return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    if not made.done():
        made.cancel()
        with suppress(asyncio.CancelledError):
            await made
        return None
    return made.result()


def save_handler(site: Site) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler that saves a query and redirects to it, behind the guard's token."""

    async def handler(request: Request) -> Response:
        form = parse_qs((await body(request)).decode("utf-8", "replace"))
        text, name = (form.get(key, [""])[0] for key in ("q", "name"))
        try:
            await run_in_threadpool(save, site.db, name, text, replace="replace" in form)
        except ArenaError as error:
            return error_page(site, "Not saved", str(error), 400)
        return RedirectResponse(site.link("sql", "", {"q": text, "saved": name}), 303)

    return handler


def error_page(site: Site, title: str, words: str, status: int) -> Response:
    """Return the answer that says in a sentence what went wrong."""
    page = render(site, Page("error.html", title, ErrorContent(words)))
    return Response(page.encode(), status, media_type=HTML)


async def body(request: Request) -> bytes:
    """Return the body of a form, up to four times the longest query.

    Percent-encoding makes a text up to three times as long.  Raises HTTPException 413 beyond that.
    """
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > 4 * MAX_BYTES:
            raise HTTPException(413, "too much")
    return bytes(content)


def make_document(
    site: Site, make: PageFunction, name: str, query: QueryItems, trusted: bool
) -> StatusAndDocument:
    """Return (HTTP status, document): the requested one, or a page with the error in a sentence."""
    status = 200
    # Before the store is read, so that the last page that follows a run shows its end.
    running = has_open_run(site.db)
    try:
        page = make(site, name, dict(query))
        if isinstance(page, Document):
            return status, page
    except ArenaError as error:
        status = 503 if isinstance(error, StoreError) else 404
        title = "Not found" if status == 404 else "Cannot be read"
        page = Page("error.html", title, ErrorContent(str(error)))
    return status, Document(render(site, page, trusted=trusted, running=running).encode(), HTML)
