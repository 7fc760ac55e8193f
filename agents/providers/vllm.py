"""Call a vLLM or SGLang server, which goes on with a reply that was begun for it.

A reference is `vllm/<model>@<base url>`.  Both servers continue a last assistant message when they
are told to (`continue_final_message`); other servers take the same words, ignore them and begin
anew.  So before the first prefill each server is asked once or twice for a single token, which
shows what it does.  Serve reasoning models without a reasoning parser, so that the thought is text.
"""

from __future__ import annotations

import asyncio
import re

import orjson

from agents.providers import wire
from agents.providers.faults import read_fault
from agents.providers.http import HttpModel, split_reference
from agents.providers.http_server import HttpServer
from arena.errors import RefusedError
from arena.types import Reply, Request

BEGUN: list[dict[str, object]] = [
    {"role": "user", "content": "Count to four."},
    {"role": "assistant", "content": "one, two, three,"},
]
FLAG = re.compile(r"continue_final_message|add_generation_prompt")


def vllm_model(rest: str) -> VllmModel:
    """Return the model of a reference without its "vllm/": `<model>@<base url>`.

    Raises StudyError as `http_model` does.
    """
    return VllmModel(*split_reference("vllm", rest))


class VllmModel(HttpModel):
    """A model behind vLLM or SGLang servers."""

    kind = "vllm"
    abilities = HttpModel.abilities | {"prefill"}

    def __init__(self, model: str, base_url: str, *, timeout_s: float = wire.TIMEOUT_S) -> None:
        super().__init__(model, base_url, timeout_s=timeout_s)
        # Whether a server continues a begun reply, once that is known.
        self._continues: dict[HttpServer, bool] = {}
        self._probing: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}

    async def ask(self, server: HttpServer, request: Request) -> Reply:
        """Send the request to one address, a prefill only where it is continued."""
        if request.messages[-1].role == "assistant" and not await self.continues(server):
            raise RefusedError(
                f"{server.endpoint} was not asked: it does not go on with a reply that was begun"
                " (it ignores continue_final_message, and would begin anew); use vLLM, SGLang or a"
                " local model",
                sent=False,
            )
        return await super().ask(server, request)

    async def continues(self, server: HttpServer) -> bool:
        """Return whether a server continues a begun reply; it is asked once."""
        loop = asyncio.get_running_loop()
        async with self._probing.setdefault(loop, asyncio.Lock()):
            if server not in self._continues:
                self._continues[server] = await self._find_whether_it_continues(server)
            return self._continues[server]

    async def _find_whether_it_continues(self, server: HttpServer) -> bool:
        """Ask a server for a token behind a begun reply.

        vLLM refuses both flags at once, and names them.  Where they are taken, they must change how
        many tokens the prompt has: a reply that begins anew stands behind the end of the begun one.
        """
        plain = {"model": self._model, "messages": BEGUN, "max_tokens": 1, "temperature": 0}
        flags = {"continue_final_message": True, "add_generation_prompt": True}
        status, headers, body = await server.post("/chat/completions", orjson.dumps(plain | flags))
        if status in (400, 422) and FLAG.search(wire.body_text(body)):
            return True
        if not 200 <= status < 300:
            raise read_fault(status, headers, body, endpoint=server.endpoint, key=server.key)
        without = (await self.post(server, "/chat/completions", plain))[1]
        counts = [
            wire.count(wire.document_of(answer), "usage", "prompt_tokens")
            for answer in (body, without)
        ]
        # A server that counts nothing shows nothing, and a silent new reply would be wrong.
        return None not in counts and counts[0] != counts[1]
