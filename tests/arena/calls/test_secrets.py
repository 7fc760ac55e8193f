"""Keys are written nowhere.

They are planted in the environment and in a file of keys, used, echoed by hostile servers, and
searched for.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from arena import Arena
from arena.errors import StudyError
from arena.types import Agent, Request
from tests.fake_agents import agent, study
from tests.fake_server import chat_process

KEY = "sk-planted-0123456789abcdef"
STUDY = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, filename="debug.log")
from agents import agent
from arena import Arm, Study, Subject
from protocols.debate import debate

def study(*, models: list[str]) -> Study:
    agents = [agent(model) for model in models]
    lineups = [dict.fromkeys(("proposition", "opposition"), a) for a in agents]
    return Study("keys", [Arm("a", debate, lineups)], [Subject("This house would keep keys.")])
"""


@pytest.mark.slow
def test_no_key_is_found_in_anything_that_a_run_writes(tmp_path: Path) -> None:
    """Every lane, replies and errors that echo the key, keys of both sources, debug logs on."""
    for package in ("openai", "anthropic", "litellm"):
        pytest.importorskip(package)
    (tmp_path / "study.py").write_text(STUDY)
    names = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "ARENA_HTTP_API_KEY")
    keys = tmp_path / "keys"
    keys.write_text("".join(f"{name}={KEY}-{name[:4]}\n" for name in names[:2]))
    keys.chmod(0o600)
    with chat_process("--max-s", "60", "--echo-keys") as url:
        bare = url.removesuffix("/v1")
        environment = {
            name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")
        } | {
            **{name: f"{KEY}-{name[:4]}" for name in names[2:]},
            **{
                "OPENAI_BASE_URL": url,
                "ANTHROPIC_BASE_URL": bare,
                "GEMINI_API_BASE": f"{bare}/v1beta",
            },
        }
        models = (
            "openai/gpt-4o-mini,openai/gpt-5-mini,anthropic/claude-haiku-4-5,"
            f"gemini/gemini-2.5-flash,http/any@{url}"
        )
        command = [
            sys.executable,
            "-m",
            "arena",
            "run",
            "study.py",
            "-o",
            f"models={models}",
            "--attempts",
            "1",
            "--keys",
            "keys",
        ]
        environment["PYTHONPATH"] = str(Path(__file__).parents[3])
        ended = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100
        )
    assert "5 of 5 episodes done" in ended.stdout, ended.stdout + ended.stderr
    keys.unlink()
    store = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"[key]" in store
    for written in (store, ended.stdout.encode(), ended.stderr.encode()):
        assert KEY[:14].encode() not in written


def test_a_key_in_a_study_is_refused_without_repeating_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    with pytest.raises(
        StudyError, match="study 'talks' holds the value of a key of the environment"
    ) as caught:
        Arena(tmp_path / "a.duckdb").run(study(Agent("a", agent().model, system=f"use {KEY}")))
    assert KEY not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_error_that_holds_a_key_is_stored_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(request: Request) -> str:
        raise RuntimeError(f"401 for Bearer {KEY}")

    monkeypatch.setenv("SOME_API_KEY", KEY)
    arena = Arena(tmp_path / "a.duckdb")
    arena.run(study(agent(reply=careless)))
    assert all(
        "401 for Bearer [key]" in error
        for (error,) in arena.sql("select error from episodes union all select error from calls")
    )
    assert not any(
        KEY.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()
    )
