"""Start a vLLM server on a node of a Ray cluster, and watch it: the class of the actors.

It imports no Ray.  The server and its processes are a group of their own, which ends with this
process however that ends.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from arena.errors import StudyError
from arena.machines import process_group

# What serves, on a node where another command than that of this environment does.
COMMAND = "ARENA_VLLM_COMMAND"
VLLM = "-m vllm.entrypoints.openai.api_server"
ASK_EVERY_S = 0.5
# Of what a server that does not start has written.
TOLD_LINES = 15


@dataclass(frozen=True, slots=True)
class ServerTerms:
    """What is served: the model (a folder or hub id), its name, and further arguments of vLLM."""

    model: str
    name: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """A server that answers: its address, its port, and the process that watches it."""

    url: str
    port: int
    node: str
    pid: int


class ServerKeeper:
    """An actor that keeps one server, on as many GPUs as Ray has given it."""

    def __init__(self) -> None:
        self._guard: asyncio.subprocess.Process | None = None
        self._served: Served | None = None
        self._starting = asyncio.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="arena-server-")
        self._log = Path(self._folder.name) / "log"

    async def start(
        self, terms: ServerTerms, host: str | None, key: str, port: int | None
    ) -> Served | StudyError:
        """Start the server unless it runs, and return when it answers.

        `host` is where it listens, None: at the address of its node.  `port` is the one that it had
        before, if any.  It takes as long as its weights need.  StudyError, with its last lines, if
        it ends instead.
        """
        if host is None:
            from ray.util import get_node_ip_address

            host = str(get_node_ip_address())
        async with self._starting:
            if self._served is not None and self._guard is not None:
                if self._guard.returncode is None:
                    return self._served
                self._end_group()
            port = port if port and is_free(host, port) else free_port(host)
            program = shlex.split(os.environ.get(COMMAND, "")) or [sys.executable, *VLLM.split()]
            command = [
                *program,
                *("--model", terms.model, "--served-model-name", terms.name),
                *("--host", host, "--port", str(port)),
                *terms.arguments,
            ]
            with self._log.open("wb") as log:
                self._guard = await asyncio.create_subprocess_exec(
                    *(sys.executable, process_group.__file__, *command),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    # On a command line others could read it.
                    env={**os.environ, "VLLM_API_KEY": key},
                )
            url = f"http://{bracketed(host)}:{port}/v1"
            if not await self._answers(f"{url}/models", key):
                tail = self._log.read_text(errors="replace").splitlines()[-TOLD_LINES:]
                return StudyError(
                    f"the server of {terms.name} did not start on {socket.gethostname()}:"
                    f" {shlex.join(program)} ended; its last words: {' | '.join(tail)[-1500:]}"
                )
            self._served = Served(url, port, socket.gethostname(), self._guard.pid)
            return self._served

    async def _answers(self, url: str, key: str) -> bool:
        """Wait until the server answers; return False if it ends before."""
        assert self._guard is not None
        headers = {"Authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession(trust_env=False) as session:
            while self._guard.returncode is None:
                with suppress(aiohttp.ClientError, TimeoutError):
                    timeout = aiohttp.ClientTimeout(total=5)
                    async with session.get(url, headers=headers, timeout=timeout) as answer:
                        if answer.status == 200:
                            return True
                await asyncio.sleep(ASK_EVERY_S)
        return False

    async def wait_for_end(self) -> None:
        """Return when the server has ended, and its group with it."""
        if self._guard is not None:
            await self._guard.wait()
            self._end_group()

    def _end_group(self) -> None:
        """Kill whatever is left of the group: the process that runs it may have been killed."""
        if self._guard is not None:
            if self._guard.stdin is not None:
                self._guard.stdin.close()
            with suppress(ProcessLookupError):
                os.killpg(self._guard.pid, signal.SIGKILL)


def bracketed(host: str) -> str:
    """Return a host as it stands in an address."""
    return f"[{host}]" if ":" in host else host


def is_free(host: str, port: int) -> bool:
    """Return whether nobody listens on a port."""
    with socket.socket() as listener, suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        return True
    return False


def free_port(host: str) -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        port: int = listener.getsockname()[1]
        return port
