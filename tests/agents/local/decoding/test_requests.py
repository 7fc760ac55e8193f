"""Local models take ways of decoding as settings: recorded, refused in words, the same again."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents import agent, model
from agents.local.model import LocalModel
from arena import Arena
from arena.decoding import CertaintyStop, CkPlug, Decoding, SoftThinking, SpeculativeThinking
from arena.errors import RefusedError, StudyError
from arena.types import Message, Place, Request, Sampling
from tests.tiny_models import tiny

VERSION = "1"
PLACE = Place("e", "speaker", 0, 0, "p", 0)
WARM = Sampling(temperature=1.0, max_tokens=16)
CONTEXT = "The sky is green."


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    return tiny(folder / "small"), tiny(folder / "large", seed=1)


def ways(large: Path) -> list[Decoding]:
    return [
        SoftThinking(temperature=1.0, cold_entropy=9.0, cold_tokens=4, end="\n\n"),
        CkPlug(CONTEXT, alpha=0.2),
        SpeculativeThinking(f"local/{large}", piece=3, every=True, first_tokens=2),
        CertaintyStop(0.1, window=2, end="\n\n"),
    ]


MEASURES = ("concept_tokens", "adjusted_tokens", "handed_over_tokens", "certainty_stop")


def request(sampling: Sampling) -> Request:
    return Request((Message("user", f"{CONTEXT} Which colour is it?"),), sampling, 3, PLACE)


async def test_each_way_answers_with_its_measures_and_its_settings(
    folders: tuple[Path, Path],
) -> None:
    small, large = folders
    speaker = model(f"local/{small}?slots=4&context=256")
    assert isinstance(speaker, LocalModel)
    await speaker.open()
    try:
        plain = await speaker(request(WARM))
        for way, name in zip(ways(large), MEASURES, strict=True):
            asked = request(replace(WARM, decoding=way))
            reply = await speaker(asked)
            assert reply.measures is not None
            assert reply.measures[name] > 0
            assert reply.measures["forward_tokens"] > 0
            settings = speaker.request_settings(asked)
            assert settings["decoding"] == way.content()
            assert ("larger" in settings) == isinstance(way, SpeculativeThinking)
            assert (await speaker(asked)).text == reply.text
        assert (await speaker(request(WARM))).text == plain.text
    finally:
        await speaker.close()


async def test_what_cannot_be_had_is_said_before_anything_is_asked(
    folders: tuple[Path, Path],
) -> None:
    small, _ = folders
    reference = f"local/{small}?slots=4&context=256"
    with pytest.raises(StudyError, match="the larger model of speculative_thinking cannot be had"):
        agent(reference, sampling=Sampling(decoding=SpeculativeThinking("local/./nowhere")))
    with pytest.raises(StudyError, match="nothing is written"):
        agent(reference, sampling=Sampling(choices=("a", "b"), decoding=SoftThinking()))
    speaker = model(reference)
    await speaker.open()
    try:
        for context in ("", "The sky is red."):
            with pytest.raises(RefusedError, match="this prompt holds no"):
                await speaker(request(replace(WARM, decoding=CkPlug(context))))
        way = SpeculativeThinking("toy/sum")
        with pytest.raises(RefusedError, match="toy/sum has other tokens"):
            await speaker(request(replace(WARM, decoding=way)))
    finally:
        await speaker.close()


# Plays two episodes of four asks, and is killed before ask number KILLS of one.
PLAY = """
import sys
from agents import agent
from arena import Arena, Arm, Study
from tests.agents.local.decoding.test_requests import ask_each
from tests.fake_agents import MOTION
store, small = sys.argv[1:]
who = agent(f"local/{small}?slots=4&context=512", name="one")
Arena(store).run(Study("s", [Arm("a", ask_each, [{"speaker": who}])], [MOTION], repeats=2))
"""


async def ask_each(episode: Any, motion: Any, speaker: Any) -> None:
    for number, way in enumerate(ways(Path(os.environ["LARGER"]))):
        if str(number) == os.environ["KILLS"]:
            os._exit(9)
        sampling = replace(WARM, decoding=way)
        asked = f"{CONTEXT} {motion.text}"
        await episode.ask(speaker, asked, phase=way.by, sampling=sampling)


@pytest.mark.slow
def test_a_play_that_is_killed_and_run_again_has_the_same_texts(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    def run(store: str, kills: int) -> int:
        command = [sys.executable, "-c", PLAY, str(tmp_path / store), str(folders[0])]
        environment = {**os.environ, "LARGER": str(folders[1]), "KILLS": str(kills)}
        return subprocess.run(command, capture_output=True, check=False, env=environment).returncode

    assert run("whole.duckdb", -1) == 0
    assert run("killed.duckdb", 2) == 9
    assert run("killed.duckdb", -1) == 0
    texts = [
        Arena(tmp_path / store)
        .sql(
            "select phase, episode, text, name, value from turns join measures"
            " using (episode, seat, step) order by all"
        )
        .rows
        for store in ("whole.duckdb", "killed.duckdb")
    ]
    assert len(texts[0]) > 40
    assert [row[:4] for row in texts[0]] == [row[:4] for row in texts[1]]
