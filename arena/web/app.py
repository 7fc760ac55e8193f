"""The viewer as a web application: routes, a cache of pages, and errors as sentences."""

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
from arena.web.site import Document, ErrorContent, Page, PageFunction, Site, has_open_run
from arena.web.words import render

STATIC = Path(__file__).with_name("static")
# Limits of the cache.  Downloads are larger, and nobody asks for the same one twice.
CACHED_PAGES = 64
CACHED_PAGE_BYTES = 2**20
HTML = "text/html; charset=utf-8"
QueryItems = tuple[tuple[str, str], ...]
StatusAndDocument = tuple[int, Document]
# (page function, name, query, trusted, fingerprint of the store) -> (HTTP status, document)
PageCache = Callable[[PageFunction, str, QueryItems, bool, str], StatusAndDocument]


def application(db: Path, token: str | None = None) -> Guard:
    """Return the viewer of a store, to be served on loopback.

    `token` is required for changes; None draws a new one.
    """
    site = Site(db)
    cache = page_cache(site)
    routes: list[Route | Mount] = [
        Route(address, serve(site, make, cache), methods=["GET"])
        for _, address, make in (*PAGES, *FILES)
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


def page_cache(site: Site) -> PageCache:
    """Return a function that makes a document, or returns the cached one of the same store state.

    The latest CACHED_PAGES documents of at most CACHED_PAGE_BYTES are kept.
    """
    cached: dict[tuple[object, ...], StatusAndDocument] = {}

    def get_or_make(
        make: PageFunction, name: str, query: QueryItems, trusted: bool, fingerprint: str
    ) -> StatusAndDocument:
        key = (make, name, query, trusted, fingerprint)
        if (hit := cached.get(key)) is not None:
            return hit
        status, document = make_document(site, make, name, query, trusted)
        # An error may pass while the store stays the same: it is busy, or locked by a writer.
        if status == 200 and len(document.content) <= CACHED_PAGE_BYTES:
            cached[key] = status, document
            # Dicts keep the order of insertion; another thread may have removed the same key.
            for oldest in list(cached)[:-CACHED_PAGES]:
                cached.pop(oldest, None)
        return status, document

    return get_or_make


def serve(
    site: Site, make: PageFunction, cache: PageCache
) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler of one kind of address; it answers 304 to a reader with a valid copy."""

    async def handler(request: Request) -> Response:
        name = str(request.path_params.get("name", ""))
        parameters = dict(request.query_params)
        if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
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
        status, document = await run_in_threadpool(cache, make, name, query, trusted, fingerprint)
        headers = {"etag": etag} if status == 200 else {}
        if document.download:
            headers["content-disposition"] = f'attachment; filename="{document.download}"'
        return Response(document.content, status, headers, document.media_type)

    return handler


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
