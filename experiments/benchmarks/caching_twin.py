"""A server on loopback that keeps prompts and charges for them as Anthropic and OpenAI document.

A token is four characters.  Anthropic keeps a prompt up to each mark in it, and reads the longest
kept one that ends at a part of the prompt, at most 20 parts before a mark.  OpenAI's models from
GPT-5.6 on do the same with breakpoints, of which one stands at the end of the prompt unless the
request wants explicit ones alone; its earlier models read whatever beginning they have seen, in
steps of 128 tokens.  What is shorter than a model's least number of tokens is not kept.  An entry
can be read once the reply that wrote it has begun, and is kept for five minutes (Anthropic) or half
an hour after it was last read.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

import orjson
from aiohttp import web

CHARACTERS_A_TOKEN = 4
STEP = 128
LOOKBACK = 20
# Reply lengths of the publication: per turn 0.548 million tokens in 360 turns of 60 debates, per
# verdict 0.652 million in 357; of a turn about three quarters are the speech.
SPEECH_TOKENS = 1150
THOUGHT_TOKENS = 372
VERDICT_TOKENS = 1826


@dataclass(frozen=True)
class Rates:
    """Dollars for a million tokens in, out, read from and written to the cache; and its rules."""

    tokens_in: float
    tokens_out: float
    read: float
    write: float
    least: int
    kept_s: float
    marked: bool


# As on the providers' pages of prices and of prompt caching.
RATES = {
    "claude-sonnet-5-5": Rates(2, 10, 0.1, 2.5, 512, 300, True),
    "claude-opus-5": Rates(5, 25, 0.5, 6.25, 512, 300, True),
    "gpt-5.6": Rates(4, 20, 0.4, 5, 1024, 1800, True),
    "gpt-5-mini": Rates(0.25, 2, 0.025, 0.25, 1024, 1800, False),
}


@dataclass
class Charge:
    """What one request was charged for."""

    model: str
    prompt: str
    tokens_in: int
    cached: int
    written: int
    tokens_out: int

    @property
    def output_usd(self) -> float:
        """Return the dollars for the reply."""
        return self.tokens_out * RATES[self.model].tokens_out / 1e6

    @property
    def input_usd(self) -> float:
        """Return the dollars for the prompt."""
        rates = RATES[self.model]
        plain = self.tokens_in - self.cached - self.written
        dollars = plain * rates.tokens_in + self.cached * rates.read + self.written * rates.write
        return dollars / 1e6


@dataclass
class Twin:
    """The server; `charges` are in the order in which requests were answered."""

    latency_s: float = 0.05
    charges: list[Charge] = field(default_factory=list)
    # By model and hash of a beginning: when it was read or written last.
    kept: dict[tuple[str, bytes], float] = field(default_factory=dict)
    # Of models that keep steps: the hashes of these.
    steps: defaultdict[str, dict[bytes, float]] = field(default_factory=lambda: defaultdict(dict))

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a request in the form of its API, and charge for it."""
        body = orjson.loads(await request.read())
        model = body["model"]
        is_anthropic = request.path.endswith("/messages")
        blocks = blocks_of(body)
        rates = RATES[model]
        prompt = "".join(text for text, _ in blocks)
        tokens_in = len(prompt) // CHARACTERS_A_TOKEN
        cached, written, entries = self.look_up(model, rates, body, blocks)
        await asyncio.sleep(self.latency_s)
        now = time.monotonic()
        self.kept |= {(model, entry): now for entry in entries}
        if not rates.marked:
            for _, step in steps_of(prompt):
                self.steps[model][step] = now
        text = reply_to(prompt)
        tokens_out = len(text) // CHARACTERS_A_TOKEN
        self.charges.append(Charge(model, prompt, tokens_in, cached, written, tokens_out))
        usage: dict[str, object]
        if is_anthropic:
            usage = {
                "input_tokens": tokens_in - cached - written,
                "cache_read_input_tokens": cached,
                "cache_creation_input_tokens": written,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": written,
                    "ephemeral_1h_input_tokens": 0,
                },
                "output_tokens": tokens_out,
            }
            content = [{"type": "text", "text": text}]
            answer = {"model": model, "content": content, "stop_reason": "end_turn", "usage": usage}
        else:
            details = {"cached_tokens": cached, "cache_write_tokens": written}
            usage = {
                "input_tokens": tokens_in,
                "input_tokens_details": details,
                "output_tokens": tokens_out,
            }
            message = {"type": "message", "content": [{"type": "output_text", "text": text}]}
            answer = {"model": model, "output": [message], "status": "completed", "usage": usage}
        return web.json_response(answer)

    def look_up(
        self, model: str, rates: Rates, body: dict[str, object], blocks: list[tuple[str, bool]]
    ) -> tuple[int, int, list[bytes]]:
        """Return (tokens read, tokens written, hashes of the entries that are read or written)."""
        now = time.monotonic()
        if not rates.marked:
            seen = self.steps[model]
            prompt = "".join(text for text, _ in blocks)
            fresh = [
                tokens
                for tokens, step in steps_of(prompt)
                if now - seen.get(step, float("-inf")) < rates.kept_s
            ]
            cached = max(fresh, default=0)
            return (cached if cached >= rates.least else 0), 0, []
        ends = []
        size, digest = 0, hashlib.sha256()
        for text, _ in blocks:
            size += len(text)
            digest.update(text.encode())
            ends.append((size // CHARACTERS_A_TOKEN, digest.digest()))
        marks = [index for index, (_, is_marked) in enumerate(blocks) if is_marked][-4:]
        options = body.get("prompt_cache_options")
        explicit = isinstance(options, dict) and options.get("mode") == "explicit"
        if model.startswith("gpt") and not explicit:
            marks = [*marks[-3:], len(blocks) - 1]
        if not marks:
            return 0, 0, []
        readable = [
            ends[index]
            for mark in marks
            for index in range(max(0, mark - LOOKBACK), mark + 1)
            if now - self.kept.get((model, ends[index][1]), float("-inf")) < rates.kept_s
        ]
        cached, entry = max(readable, default=(0, b""))
        last = max(ends[mark][0] for mark in marks)
        entries = [entry] if cached else []
        if last < rates.least or last <= cached:
            return cached, 0, entries
        entries += [ends[mark][1] for mark in marks if ends[mark][0] >= rates.least]
        return cached, last - cached, entries


def blocks_of(body: dict[str, object]) -> list[tuple[str, bool]]:
    """Return the parts of a prompt: (text, whether it is marked)."""
    blocks = []
    system = body.get("system")
    if isinstance(system, str):
        blocks.append((system, False))
    messages = body.get("messages") or body["input"]
    assert isinstance(messages, list)
    for message in messages:
        content = message["content"]
        parts = [{"text": content}] if isinstance(content, str) else content
        for part in parts:
            marked = "cache_control" in part or "prompt_cache_breakpoint" in part
            blocks.append((part["text"], marked))
    return blocks


def steps_of(prompt: str) -> list[tuple[int, bytes]]:
    """Return (tokens, hash) of every beginning of whole steps."""
    size = STEP * CHARACTERS_A_TOKEN
    digest = hashlib.sha256()
    steps = []
    for end in range(size, len(prompt) + 1, size):
        digest.update(prompt[end - size : end].encode())
        steps.append((end // CHARACTERS_A_TOKEN, digest.digest()))
    return steps


def reply_to(prompt: str) -> str:
    """Return a reply of the published length in the form that the prompt asks for."""
    seed = hashlib.sha256(prompt.encode()).hexdigest()[:12]

    def words(tokens: int) -> str:
        """Return so many tokens of words that no other reply has."""
        return (f"{seed} " * tokens)[: tokens * CHARACTERS_A_TOKEN]

    if "<winner>" in prompt:
        reasons = words(VERDICT_TOKENS - 20)
        return f"<reasons>{reasons}</reasons>\n<winner>proposition</winner>\n<rating>70</rating>"
    return (
        f"<speech>{words(SPEECH_TOKENS)}</speech>\n<thoughts>{words(THOUGHT_TOKENS - 20)}"
        "</thoughts>\n<rating>60</rating>"
    )


class Server:
    """A twin in a thread of its own; `url` is its address."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Server:
        self._thread.start()
        self._started.wait(30)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def _run(self) -> None:
        """Serve until the loop is stopped."""
        asyncio.set_event_loop(self._loop)
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/{path:.*}", self.twin.answer)
        runner = web.AppRunner(app)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
