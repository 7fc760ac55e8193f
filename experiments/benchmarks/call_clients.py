"""Call a server with every client that calls.py compares, each as its documentation shows it.

A bare client is an async context manager that takes the server's address and gives a function from
a prompt to a reply.  Clients import their library when they are used: a measured process holds no
library but its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

# A motion with its background, so that the prompt of an opening speech has 1.8 kB; the bare clients
# send as many characters.
MOTION = (
    "This house would count to {}. "
    + "The house means a count aloud, in order and without a pause, by one person. " * 4
)
PROMPT = (
    "{}\n\nGive two arguments and show why each of them decides the motion. "
    + "Weigh what matters most, and end with it. " * 33
)

Ask = Callable[[str], Awaitable[str]]
Client = Callable[[str], AbstractAsyncContextManager[Ask]]
# (processor seconds of this process, wall seconds)
Clock = tuple[float, float]


@dataclass(frozen=True)
class Load:
    """The work of a client: `count` single calls or debates of 2 x 3 calls, so many in flight."""

    debates: bool
    count: int
    in_flight: int

    @property
    def calls(self) -> int:
        """Return all calls of the load."""
        return self.count * (6 if self.debates else 1)


@asynccontextmanager
async def aiohttp_client(url: str) -> AsyncIterator[Ask]:
    """Call with one aiohttp session without a limit, orjson in and out: the baseline."""
    import aiohttp
    import orjson

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), headers={"Content-Type": "application/json"}
    ) as session:

        async def ask(prompt: str) -> str:
            body = orjson.dumps(
                {"model": "any", "messages": [{"role": "user", "content": prompt}], "seed": 1}
            )
            async with session.post(f"{url}/chat/completions", data=body) as response:
                response.raise_for_status()
                answer = orjson.loads(await response.read())
                return str(answer["choices"][0]["message"]["content"])

        yield ask


@asynccontextmanager
async def openai_client(url: str) -> AsyncIterator[Ask]:
    """Call with the SDK of OpenAI as its README shows it, without retries."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

        async def ask(prompt: str) -> str:
            answer = await client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": prompt}], seed=1
            )
            return answer.choices[0].message.content or ""

        yield ask


@asynccontextmanager
async def anthropic_client(url: str) -> AsyncIterator[Ask]:
    """Call with the SDK of Anthropic as its README shows it, without retries."""
    from anthropic import AsyncAnthropic

    async with AsyncAnthropic(
        base_url=url.removesuffix("/v1"), api_key="none", max_retries=0
    ) as client:

        async def ask(prompt: str) -> str:
            answer = await client.messages.create(
                model="claude-any", max_tokens=1024, messages=[{"role": "user", "content": prompt}]
            )
            return getattr(answer.content[0], "text", "")

        yield ask


@asynccontextmanager
async def litellm_client(url: str) -> AsyncIterator[Ask]:
    """Call with LiteLLM, without retries and with the prices that it ships."""
    import litellm

    litellm.suppress_debug_info = True

    async def ask(prompt: str) -> str:
        messages = [{"role": "user", "content": prompt}]
        answer = await litellm.acompletion(
            model="openrouter/any/model",
            messages=messages,
            api_base=url,
            api_key="none",
            num_retries=0,
            max_retries=0,
        )
        return answer.choices[0].message.content

    yield ask


@asynccontextmanager
async def inspect_client(url: str) -> AsyncIterator[Ask]:
    """Call with `generate` of Inspect AI, without its tasks and logs."""
    from inspect_ai.model import GenerateConfig, get_model

    config = GenerateConfig(max_retries=0, max_connections=100_000, seed=1)
    async with get_model(
        "openai-api/loop/any", base_url=url, api_key="none", config=config
    ) as model:

        async def ask(prompt: str) -> str:
            return (await model.generate(prompt)).completion

        yield ask


def now() -> Clock:
    """Return the processor seconds of this process and the wall seconds."""
    return time.process_time(), time.perf_counter()


def run_bare(client: Client, url: str, load: Load) -> tuple[Clock, Clock]:
    """Do a load with a bare client; return when the calls began and ended."""

    async def do_all() -> None:
        in_flight = asyncio.Semaphore(load.in_flight)
        async with client(url) as ask:

            async def speak(prompt: str) -> str:
                async with in_flight:
                    return await ask(prompt)

            async def debate(opening: str) -> None:
                speeches: list[str] = []
                for _ in range(3):
                    prompt = opening + "\n\n".join(speeches)
                    speeches += await asyncio.gather(speak(prompt), speak(prompt))

            play = debate if load.debates else speak
            prompts = [PROMPT.format(MOTION.format(number)) for number in range(load.count)]
            await asyncio.gather(*(play(prompt) for prompt in prompts))

    began = now()
    asyncio.run(do_all())
    return began, now()


def run_arena(reference: str, store: Path, url: str, load: Load) -> tuple[Clock, Clock]:
    """Do a load with `Arena.run`; return when the calls began and ended.

    The plan is made before that, and the journal is folded after it.
    """
    from agents import agent
    from arena import Arena, Arm, Study, Subject, against_itself
    from protocols.debate import debate

    speaker = agent(reference.format(url=url))
    # Single calls are openings, one of each side.
    options = {} if load.debates else {"phases": ("opening",)}
    episodes = load.count if load.debates else load.count // 2
    motions = [Subject(MOTION.format(number)) for number in range(episodes)]
    arm = Arm("only", debate, against_itself([speaker]), options)
    study = Study(f"{load.calls} calls", [arm], motions)
    times: list[Clock] = []
    # The arena calls `watch` when the first call is about to start, and last when all calls have
    # ended and before it folds.
    arena = Arena(store, concurrency=load.in_flight)
    summary = arena.run(study, watch=lambda stats: times.append(now()))
    if (summary.done, summary.replies) != (episodes, load.calls):
        raise SystemExit(f"the study did not finish: {summary}")
    return times[0], times[-1]


BARE: dict[str, Client] = {
    "aiohttp": aiohttp_client,
    "openai": openai_client,
    "anthropic": anthropic_client,
    "litellm": litellm_client,
    "inspect_ai": inspect_client,
}
REFERENCES = {
    "arena-http": "http/any@{url}",
    "arena-openai": "openai/gpt-4o-mini",
    "arena-anthropic": "anthropic/claude-any",
    "arena-litellm": "openrouter/any/model",
}
SDK_OF = {"arena-openai": "openai", "arena-anthropic": "anthropic", "arena-litellm": "litellm"}
