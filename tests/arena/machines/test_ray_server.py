"""A server is kept in a group of its own, which ends with its keeper, however that ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from agents import agent
from agents.providers.served import ServedModel, served_model
from arena.errors import StudyError
from arena.machines import process_group
from arena.machines.ray_server import COMMAND, Served, ServerKeeper, ServerTerms, free_port
from tests.arena.machines.ended_processes import alive, pids_in, wait_until_gone

SERVER = Path(__file__).with_name("small_server.py")


async def test_a_keeper_starts_a_server_and_starts_it_again_at_the_same_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(COMMAND, f"{sys.executable} {SERVER}")
    keeper = ServerKeeper()
    terms = ServerTerms(str(tmp_path), "small", ("--max-model-len", "9"))
    served = await keeper.start(terms, "127.0.0.1", "a-key", None)
    assert isinstance(served, Served)
    assert await keeper.start(terms, "127.0.0.1", "a-key", None) == served
    async with aiohttp.ClientSession() as session, session.get(f"{served.url}/models") as answer:
        assert answer.status == 401
    server, child = pids_in(tmp_path)
    assert b"a-key" not in Path(f"/proc/{server}/cmdline").read_bytes()
    # Killed as by the kernel: its child ends with it.
    os.kill(server, signal.SIGKILL)
    await asyncio.wait_for(keeper.wait_for_end(), 30)
    wait_until_gone([server, child])
    again = await keeper.start(terms, "127.0.0.1", "a-key", served.port)
    assert isinstance(again, Served)
    assert again.url == served.url
    # Killed: the process that watches the group.
    pids = pids_in(tmp_path)
    os.kill(again.pid, signal.SIGKILL)
    await asyncio.wait_for(keeper.wait_for_end(), 30)
    wait_until_gone(pids)


async def test_a_server_that_does_not_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(COMMAND, f"{sys.executable} {SERVER}")
    terms = ServerTerms(str(tmp_path), "small", ("--max-model-len", "0"))
    refused = await ServerKeeper().start(terms, "127.0.0.1", "a-key", None)
    assert isinstance(refused, StudyError)
    assert "the server of small did not start" in str(refused)
    assert str(refused).endswith("its last words: max_model_len is at least 1")


def test_the_group_ends_with_whoever_started_it(tmp_path: Path) -> None:
    command = [sys.executable, str(SERVER), "--model", str(tmp_path), "--served-model-name", "m"]
    command += ["--host", "127.0.0.1", "--port", str(free_port("127.0.0.1"))]
    starter = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, {process_group.__file__!r}, *{command!r}],
                 stdin=subprocess.PIPE, start_new_session=True)
time.sleep(600)"""
    started = subprocess.Popen(
        [sys.executable, "-c", starter], env={**os.environ, "VLLM_API_KEY": "k"}
    )
    until = time.monotonic() + 30
    while len(pids_in(tmp_path)) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    pids = pids_in(tmp_path)
    assert all(map(alive, pids))
    started.kill()
    started.wait()
    wait_until_gone(pids)


def test_a_reference_says_what_is_served(tmp_path: Path) -> None:
    assert served_model("qwen3-8b@http://127.0.0.1:8000/v1") is None
    served = served_model("Qwen/Qwen3-32B@ray?gpus=2&max-model-len=16384&enforce-eager=")
    assert served is not None
    assert (served.name, served.weights) == ("vllm/Qwen/Qwen3-32B", "Qwen/Qwen3-32B")
    assert served.gpus == 2
    assert served.arguments == ("--max-model-len", "16384", "--enforce-eager")
    folder = served_model(f"{tmp_path}@ray")
    assert folder is not None
    assert (folder.name, folder.weights) == (f"vllm/{tmp_path.name}", str(tmp_path))
    low = agent("vllm/Qwen/Qwen3-8B@ray?max-model-len=64?effort=low")
    assert (low.model.name, low.sampling.reasoning_effort) == ("vllm/Qwen/Qwen3-8B", "low")


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("m@ray?gpus=0", "gpus of vllm/m@ray is a whole number from 1 to 64, not '0'"),
        ("m@ray?port=1", "arguments of vLLM by their long names.*not 'port'"),
        ("m@ray?Max=1", "not 'Max'"),
    ],
)
def test_a_wrong_setting_is_refused(reference: str, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        served_model(reference)


async def test_without_a_place_it_says_what_it_needs() -> None:
    model = ServedModel("m", "m", 1, ())
    with pytest.raises(StudyError, match="vllm/m@ray is served by Ray: run with --on ray"):
        await model.open()
