"""Protect the viewer: decide whose requests are answered, and what an answer may do in a browser.

The server listens on loopback, but a page of another site can make a browser on this machine send
requests to it.  So the host name must be a loopback name (against DNS rebinding), requests of other
origins are refused, and every change needs the token of this start.  The address that `arena view`
prints puts the token into a cookie.  Answers may load nothing from elsewhere and run no inline
script.
"""

from __future__ import annotations

import hmac
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost", "::1")
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    # With no-referrer a browser sends the Origin "null", and forms could not be checked.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}
COOKIE = "arena_token"


class Guard:
    """An application behind these checks; `token` is required for changes."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or refuse it with 400, 403 or 405."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        if refusal := self.refusal(scope, headers):
            await refusal(scope, receive, send_with_headers)
        elif tokens := parse_qs(scope["query_string"].decode("latin-1")).get("token"):
            # Redirect, so that the token leaves the address bar and is not shared with an address.
            # Two slashes at the beginning would name another host: the path keeps one.
            answer = RedirectResponse("/" + scope["path"].lstrip("/\\"), 303)
            if hmac.compare_digest(tokens[0].encode(), self.token.encode()):
                answer.set_cookie(COOKIE, self.token, httponly=True, samesite="strict", path="/")
            await answer(scope, receive, send_with_headers)
        else:
            scope["trusted"] = self.holds_token(headers)
            await self.app(scope, receive, send_with_headers)

    def holds_token(self, headers: Headers) -> bool:
        """Return whether the request carries the token of this start."""
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return hmac.compare_digest(cookie.encode(), self.token.encode())

    def refusal(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        """Return the answer to a request that must not be served; None if it may be."""
        if host_of(f"//{headers.get('host', '')}") not in HOSTS:
            return PlainTextResponse("this viewer answers to 127.0.0.1 and localhost only", 400)
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("only GET and POST", 405)
        origin = headers.get("origin")
        if origin is not None and (
            host_of(origin) is None or urlsplit(origin).netloc != headers.get("host")
        ):
            return PlainTextResponse("requests of other sites are refused", 403)
        # A link on another site may lead here; its scripts, images and frames may not.
        if (
            headers.get("sec-fetch-site") in ("cross-site", "same-site")
            and headers.get("sec-fetch-mode") != "navigate"
        ):
            return PlainTextResponse("requests of other sites are refused", 403)
        if scope["method"] == "POST" and (origin is None or not self.holds_token(headers)):
            return PlainTextResponse(
                "this needs the token: open the address that `arena view` printed, and try again",
                403,
            )
        return None


def host_of(address: str) -> str | None:
    """Return the host of an address; None if it names none, or is not an address."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
