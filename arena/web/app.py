"""The viewer as a web application: addresses to pages, answers only where something has changed, errors as sentences."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from arena.errors import ArenaError, StoreError
from arena.web.guard import Guard
from arena.web.pages import PAGES, PageFunction
from arena.web.site import Page, Site, stamp
from arena.web.words import render

STATIC = Path(__file__).with_name("static")
KEPT_PAGES = 64


def application(db: Path, token: str | None = None) -> Guard:
    """The viewer of a store, to be served on loopback; `token` is what changes need, drawn where none is given."""
    site = Site(db)
    rendered = lru_cache(maxsize=KEPT_PAGES)(lambda make, name, query, trusted, moment: html(site, make, name, query, trusted))
    routes: list[Route | Mount] = [Route(address, serve(site, make, rendered), methods=["GET"], name=kind) for kind, address, make in PAGES]
    routes.append(Mount("/static", StaticFiles(directory=STATIC), name="static"))
    return Guard(Starlette(routes=routes), token or secrets.token_urlsafe(24))


def serve(site: Site, make: PageFunction, rendered: Callable[..., tuple[int, str]]) -> Callable[[Request], Awaitable[Response]]:
    """The handler of one kind of page: 304 where the reader's copy still holds, else the page, made once for every state of the store."""

    async def handler(request: Request) -> Response:
        name, query = str(request.path_params.get("name", "")), tuple(sorted(request.query_params.items()))
        moment, trusted = stamp(site.db), bool(request.scope.get("trusted"))
        etag = f'"{hashlib.sha256(repr((moment, trusted, name, query)).encode()).hexdigest()[:20]}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        status, text = await run_in_threadpool(rendered, make, name, query, trusted, moment)
        return HTMLResponse(text, status, headers={"etag": etag} if status == 200 else None)

    return handler


def html(site: Site, make: PageFunction, name: str, query: tuple[tuple[str, str], ...], trusted: bool) -> tuple[int, str]:
    """(HTTP status, HTML): the page, or one that says in a sentence why there is none."""
    try:
        return 200, render(site, make(site, name, dict(query)), {"trusted": trusted})
    except ArenaError as error:
        status = 503 if isinstance(error, StoreError) else 404
        return status, render(site, Page("error.html", "Not found" if status == 404 else "Cannot be read", {"words": str(error)}))
