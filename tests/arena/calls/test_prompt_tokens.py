"""Tokens of prompts are expected by script and learned by model, so that limits hold for any."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from agents import agent
from arena import Arena, Arm, Limit, Sampling, Study, Subject
from arena.calls import rate_limits
from arena.calls.prompt_tokens import PromptTokens, bytes_by_script
from arena.calls.rate_limits import RateLimiter
from arena.calls.stored_prompts import learn_from_store
from arena.types import Message
from tests.arena.calls.test_probes import speak
from tests.fake_server import chat_server

WORDS = {
    "English": "The house believes that judges should be told how sure each debater is of winning.",
    "Chinese": "本院认为，应当告诉评委每位辩手对获胜有多大的把握，因为这会影响他们的判断。",
    "Thai": "สภานี้เชื่อว่าควรบอกกรรมการว่าผู้โต้วาทีแต่ละคนมั่นใจแค่ไหนว่าจะชนะ",
    "emoji": "🙂🚀🧠🏆🤝🔥🧪📈🗳️👩‍⚖️🦉🌍🎯🪙🧭🥇",
    "Russian": "Палата считает, что судьям следует сообщать, насколько уверен каждый из спорщиков.",
    "code": "for(i=0;i<n;i++){x[i]=(y[i]>>3)^0x9f2c;}//{}[]<>",
}


@pytest.fixture(scope="module")
def count() -> Callable[[str], int]:
    """Count tokens with a real tokenizer, whose file comes with LiteLLM."""
    # Neither is installed where these tests run under other Pythons.
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers and LiteLLM not installed")

    (package,) = find_spec("litellm").submodule_search_locations  # type: ignore[union-attr]
    folder = Path(package, "litellm_core_utils", "tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(os.fspath(folder / "deepseek_tokenizer.json"))
    # A chat template adds a few around each message.
    return lambda text: len(tokenizer.encode(text).ids) + 5


def prompt(script: str, number: int) -> str:
    """Return a prompt of about a thousand bytes, unlike the others."""
    draw = random.Random(f"{script} {number}")
    words = list(WORDS[script] * 8)
    at = draw.randrange(len(words))
    return f"{number} " + "".join(words[at:] + words[:at])


@pytest.mark.parametrize("script", WORDS)
def test_a_prompt_is_expected_too_long_at_first_and_soon_as_it_is(
    script: str, count: Callable[[str], int]
) -> None:
    tokens = PromptTokens()
    texts = [prompt(script, number) for number in range(12)]
    sizes = [bytes_by_script([Message("user", text)]) for text in texts]
    # A model that has been asked in English knows nothing of other scripts.
    english = prompt("English", 99)
    tokens.learn("m", bytes_by_script([Message("user", english)]), count(english))
    if script != "English":
        assert tokens.expect("m", sizes[0]) >= count(texts[0])
    for text, size in zip(texts, sizes, strict=True):
        tokens.learn("m", size, count(text))
    for text, size in zip(texts, sizes, strict=True):
        assert 0.95 <= tokens.expect("m", size) / count(text) <= 1.3
    assert tokens.expect("other", sizes[0]) >= count(texts[0])


@pytest.mark.slow
async def test_prompts_of_a_second_run_are_expected_as_the_first_ones_were_counted(
    tmp_path: Path,
) -> None:
    def count(text: str) -> int:
        # A tokenizer that knows Chinese well, at a third of the tokens of a cautious guess.
        return len(text.encode()) // 5 + 5

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        usage = {"prompt_tokens": count(body["messages"][-1]["content"]), "completion_tokens": 2}
        choice = {"message": {"content": "words|70"}, "finish_reason": "stop"}
        return {"model": "m", "choices": [choice], "usage": usage}

    chinese = [Subject(prompt("Chinese", number)) for number in range(20)]
    # The first call goes alone, and teaches nothing of the script of the others.
    later = [Subject(prompt("English", 99)), *chinese[4:]]
    tokens = PromptTokens()
    async with chat_server(answer) as server:
        short = agent(f"http/m@{server.url}", sampling=Sampling(max_tokens=10))
        arm = Arm("a", speak, [{"speaker": short}])
        await Arena(tmp_path / "a.duckdb").play(Study("s", [arm], chinese[:4]))
        limiter = RateLimiter(1, {"http": Limit(tpm=1)}, tokens)
        learn_from_store(limiter, tmp_path / "a.duckdb", ["http/m", "http/never asked"])
        for subject in chinese:
            expected = tokens.expect("http/m", bytes_by_script([Message("user", subject.text)]))
            assert 0.95 <= expected / count(subject.text) <= 1.2
        assert not tokens.knows("http/never asked")
        # Room for these prompts, and for a quarter of them by a cautious guess: then the run would
        # take a minute, the window of the limit.
        # The calls of the first run stand in the same minute.
        spent = [*later, *chinese[:4]]
        limit = Limit(tpm=1.3 * sum(count(subject.text) + 10 for subject in spent))
        arena = Arena(tmp_path / "a.duckdb", limits={"http": limit})
        async with asyncio.timeout(30):
            assert (await arena.play(Study("t", [arm], later))).replies == 17


@pytest.mark.slow
async def test_no_window_holds_more_tokens_than_the_limit_in_any_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: Callable[[str], int]
) -> None:
    monkeypatch.setattr(rate_limits, "MINUTE_S", 1.0)
    scripts = ("English", "Chinese", "Thai", "emoji")
    arrived: list[tuple[float, int]] = []

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        spent = count(body["messages"][0]["content"])
        arrived.append((time.monotonic(), spent + 2))
        choice = {"message": {"content": "words|70"}, "finish_reason": "stop"}
        usage = {"prompt_tokens": spent, "completion_tokens": 2}
        return {"model": "m", "choices": [choice], "usage": usage}

    limit = 4000
    subjects = [Subject(prompt(script, number)) for number in range(15) for script in scripts]
    async with chat_server(answer) as server:
        arm = Arm("a", speak, [{"speaker": agent(f"http/m@{server.url}")}])
        arena = Arena(tmp_path / "a.duckdb", limits={"http": Limit(tpm=limit)}, concurrency=256)
        summary = await arena.play(Study("s", [arm], subjects))
    assert summary.done == len(subjects)
    # A little less than a window, since calls arrive a little later than they are sent.
    windows = [
        sum(tokens for at, tokens in arrived if start <= at < start + 0.9) for start, _ in arrived
    ]
    assert max(windows) <= limit
    # And the limit is used.
    total = sum(tokens for _, tokens in arrived)
    assert arrived[-1][0] - arrived[0][0] < 2 * total / limit + 1
