"""Send requests to one address over aiohttp, and choose among several of one model.

Each episode stays at its address, where its prompts are cached; a new one goes where the fewest
calls are in flight.  An address that is gone is asked again after 1, 2, 4, 8 s and then every 10 s,
by a call that goes elsewhere if it is still gone; others take over its episodes meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import SplitResult

import aiohttp

from agents.providers import addresses, wire
from agents.providers.keys import refuse_without_key
from arena.calls.absences import Absence
from arena.errors import BadReplyError, ModelError, UnreachableError
from arena.text import join_words

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 10.0
# A host that is switched off answers nothing: whoever can go elsewhere need not wait long for it.
PROBE_CONNECT_S = 3.0
# The status, the headers and the body of an answer.
Answered = tuple[int, Mapping[str, str], bytes]
Payload = bytes | aiohttp.FormData | None


def key_for(name: str, url: SplitResult) -> str | None:
    """Return the key to send to an address, or None.

    Raises StudyError if a key is needed and not set, or cannot stand in a header.
    """
    variable = addresses.KEY_VARIABLE
    key = addresses.key_in(variable)
    host = url.hostname or ""
    if not key and url.scheme == "https" and not addresses.is_loopback(host):
        refuse_without_key(
            f"{name} at https://{host} needs a key, and {variable} is not set: run"
            f" `export {variable}=...` first (any word will do if the server wants none)"
        )
    return key if key and (url.scheme == "https" or addresses.is_private(host)) else None


class HttpServer:
    """One address of the model `name`: `base_url` is what stands before /chat/completions.

    `timeout_s` > 0 is the longest that a call may take, including the wait for a connection (at
    most 30 s).  The number of connections is not limited here: the arena limits the calls in
    flight.  Raises StudyError if the address is not usable or a key is missing.
    """

    def __init__(self, name: str, base_url: str, timeout_s: float) -> None:
        url = addresses.parse_address(name, base_url)
        self.base_url = base_url.rstrip("/")
        self.shown = f"{url.scheme}://{url.netloc}"
        self.endpoint = f"{name} at {self.shown}"
        self.key = key_for(name, url)
        self.in_flight = 0
        # Since it was last found gone: the wait before it is asked again, and the end of the wait.
        self.away_s: float | None = None
        self.ask_again_at = 0.0
        self.probing = False
        # The latest time in which it was gone, while others were there or not.
        self.absence: Absence | None = None
        self._timeout = aiohttp.ClientTimeout(
            total=timeout_s, connect=min(wire.CONNECT_S, timeout_s)
        )
        self._probe_timeout = aiohttp.ClientTimeout(
            total=timeout_s, connect=min(PROBE_CONNECT_S, timeout_s)
        )
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}

    def note_answer(self) -> None:
        """Note that it has answered."""
        if self.away_s is not None and self.absence is not None:
            self.absence.end()
        self.away_s = None
        self.probing = False

    def note_gone(self, addresses: Sequence[str]) -> None:
        """Note that it, one of these addresses, was not there.

        Each time that it was asked whether it is back, it is left alone for twice as long.
        """
        if self.away_s is None:
            self.away_s = FIRST_WAIT_S
            self.absence = Absence(self.shown, tuple(addresses))
        elif self.probing:
            self.away_s = min(2 * self.away_s, LONGEST_WAIT_S)
        else:
            # A call that was on its way when it died, or one that found all addresses gone.
            return
        self.probing = False
        self.ask_again_at = time.monotonic() + self.away_s

    def _session(self) -> aiohttp.ClientSession:
        """Return the session of the running loop.

        Connections cannot be shared between loops, and each run may have a loop of its own.
        """
        loop = asyncio.get_running_loop()
        if loop not in self._sessions:
            # Sessions of loops that were closed cannot be closed any more, only forgotten.
            self._sessions = {
                other: session for other, session in self._sessions.items() if not other.is_closed()
            }
            headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
            if self.key:
                headers["Authorization"] = f"Bearer {self.key}"
            self._sessions[loop] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=wire.KEEP_ALIVE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=headers,
                timeout=self._timeout,
                trust_env=False,
            )
        return self._sessions[loop]

    async def post(self, path: str, body: bytes, *, probe: bool = False) -> Answered:
        """Send a JSON body to a path below the base url, and return the answer.

        A body that is too long is cut a little after its limit.  `probe`: whether another address
        can be asked soon.  Raises UnreachableError or BadReplyError; never an error of aiohttp,
        whose details hold the headers that were sent.
        """
        status = None
        self.in_flight += 1
        try:
            async with self._session().post(
                f"{self.base_url}{path}",
                data=body,
                allow_redirects=False,
                timeout=self._probe_timeout if probe else self._timeout,
            ) as response:
                status = response.status
                limit = wire.MAX_REPLY_BYTES if 200 <= status < 300 else wire.READ_ERROR_BYTES
                # The whole at once where it is known to be short.
                length = response.content_length
                plain = "Content-Encoding" not in response.headers
                if plain and length is not None and length <= limit:
                    content = await response.read()
                else:
                    content = await wire.read_up_to(response.content.iter_any(), limit)
                return status, response.headers, content
        except (aiohttp.ClientError, OSError) as error:
            fault = self._fault(error, status)
        finally:
            self.in_flight -= 1
        # Outside the handler: aiohttp's error, which holds the headers, must not be its context.
        raise fault

    async def send(
        self, method: str, path: str, data: Payload, query: Mapping[str, str]
    ) -> Answered:
        """Send a request about batches or files below the base url, and return the whole answer.

        Raises as `post` does.
        """
        status = None
        content = data() if isinstance(data, aiohttp.FormData) else data
        # The type of a form names the mark between its parts; the session's is that of JSON.
        kind: dict[str, str] = {}
        if content is not None and not isinstance(content, bytes):
            kind = {"Content-Type": str(content.headers["Content-Type"])}
        try:
            async with self._session().request(
                method,
                f"{self.base_url}{path}",
                data=content,
                params=query,
                allow_redirects=False,
                headers=kind,
            ) as response:
                status = response.status
                return status, response.headers, await response.read()
        except (aiohttp.ClientError, OSError) as error:
            fault = self._fault(error, status)
        raise fault

    def _fault(self, error: Exception, status: int | None) -> ModelError:
        """Return the error for a call that got no whole answer.

        aiohttp's own words are left out if they quote the server.
        """
        if isinstance(error, aiohttp.ClientResponseError):
            return BadReplyError(
                f"{self.endpoint} answered with something that is not HTTP/1.1: are the port and"
                " http:// or https:// right?"
            )
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            why = f"took no connection within {self._timeout.connect:g} s: is the server up?"
        elif isinstance(error, TimeoutError):
            seconds = f"{self._timeout.total:g} s"
            why = f"gave no whole answer within {seconds}: it is overloaded, or hangs"
        elif isinstance(error, aiohttp.ClientConnectorCertificateError):
            quoted = wire.excerpt(str(error.certificate_error), self.key)
            why = f"has a certificate that is not trusted: {quoted}"
        elif isinstance(error, aiohttp.ClientConnectorError):
            why = f"cannot be reached: {error.os_error}; is the server up?"
        else:
            word = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            why = f"broke the connection before its answer was whole ({word}): try again"
        # Without a connection nothing was sent, and the provider bills nothing.
        unsent = isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError)
        # A certificate is wrong also after a wait.
        gone = unsent and not isinstance(error, aiohttp.ClientConnectorCertificateError)
        return UnreachableError(
            f"{self.endpoint} {why}", http_status=status, sent=not unsent, server_down=gone
        )

    async def close(self) -> None:
        """Close the connections of the running loop; they are opened again when needed."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()


class HttpServers:
    """The addresses of one model, and where its episodes are."""

    def __init__(self, servers: Sequence[HttpServer]) -> None:
        self.all = tuple(servers)
        self._of_episode: dict[str, HttpServer] = {}

    @property
    def shown(self) -> str:
        """Return the addresses as users know them, without paths."""
        return join_words([server.shown for server in self.all])

    @property
    def absences(self) -> tuple[Absence, ...]:
        """Return the latest absence of each address that was ever found gone."""
        if len(self.all) == 1:
            return ()
        return tuple(server.absence for server in self.all if server.absence is not None)

    def note_gone(self, server: HttpServer) -> None:
        """Note that one of them was not there."""
        server.note_gone([each.shown for each in self.all])

    def choose(self, episode: str, tried: Collection[HttpServer] = ()) -> HttpServer:
        """Return the server to ask next for an episode, not one of those that were `tried`."""
        if len(self.all) == 1:
            return self.all[0]
        left = [server for server in self.all if server not in tried]
        now = time.monotonic()
        due = [server for server in left if server.away_s is not None and now > server.ask_again_at]
        there = [server for server in left if server.away_s is None]
        if due:
            # This call is the probe; no other one asks until it has ended, or for a while.
            due[0].ask_again_at = now + PROBE_CONNECT_S
            due[0].probing = True
            return due[0]
        own = self._of_episode.get(episode)
        if own is None or own not in (there or left):
            episodes = list(self._of_episode.values())
            own = min(there or left, key=lambda one: (one.in_flight, episodes.count(one)))
            self._of_episode[episode] = own
        return own

    def forget(self, episode: str) -> None:
        """Forget an episode that has ended."""
        self._of_episode.pop(episode, None)
