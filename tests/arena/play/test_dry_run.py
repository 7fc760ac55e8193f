"""The expected cost of a study, before a model is asked, compared with its real cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agents import agent as by_reference
from arena import Arena, Arm, Price, Sampling, Study, Subject
from arena.calls.estimate import describe_estimate
from arena.cli.terminal import print_estimate
from arena.errors import StudyError
from arena.play.episode import Episode
from arena.studies.study import Protocol
from arena.types import Reading, Reply, Request, Seat, Turn
from protocols.debate import PRESETS, debate
from protocols.parsing.tags import speech_only
from tests.fake_agents import MOTION, agent, rating, study
from tests.fake_server import chat_server

VERSION = "1"
REPLY = "<thoughts>t</thoughts><speech>" + "word " * 300 + "</speech><rating>70</rating>"


def debates(*agents: object, motions: int = 3, preset: str = "self") -> Study:
    lineups = [{"proposition": one, "opposition": one} for one in agents]
    return Study(
        "d",
        [Arm(preset, debate, lineups, PRESETS[preset])],
        [Subject(f"Motion {n}.") for n in range(motions)],
    )


@pytest.mark.parametrize(("preset", "calls"), [("self", 6), ("multi_round", 8), ("public", 6)])
def test_calls_are_counted_by_playing_and_nothing_is_asked_or_written(
    tmp_path: Path, preset: str, calls: int
) -> None:
    def never(request: object) -> str:
        raise AssertionError("a model was asked")

    estimate = Arena(tmp_path / "a.duckdb").dry_run(
        debates(agent("a", never), agent("b", never), preset=preset)
    )
    assert (estimate.episodes, estimate.calls, estimate.failed, estimate.simulated) == (
        6,
        6 * calls,
        0,
        True,
    )
    assert [(m.model, m.calls) for m in estimate.models] == [
        ("scripted/a", 3 * calls),
        ("scripted/b", 3 * calls),
    ]
    assert list(tmp_path.iterdir()) == []


async def test_an_estimate_is_stored_and_compared_with_what_was_spent(tmp_path: Path) -> None:
    async with chat_server(lambda body: REPLY) as server:
        paid = by_reference(f"http/any@{server.url}", sampling=Sampling(max_tokens=1000))
        arena = Arena(tmp_path / "a.duckdb", prices={"http/any": Price(1.0, 2.0)})
        summary = await arena.play(debates(paid))
    assert summary.expected is not None
    assert summary.expected.calls == summary.calls == 18
    assert summary.expected.usd == pytest.approx(summary.cost_usd, rel=0.9)
    assert summary.expected.usd_if_longest >= summary.cost_usd
    assert f"18 calls, {summary.tokens_in:,} tokens in" in str(summary)
    assert "expected were 18 calls" in str(summary)
    assert arena.sql("select estimate->>'$.models[0].calls' from runs").rows == (("18",),)


@pytest.mark.slow
def test_what_is_stored_is_left_out(tmp_path: Path) -> None:
    from arena import RunSelection

    arena = Arena(tmp_path / "a.duckdb")
    arena.run(study(subjects=4), selection=RunSelection(limit=3))
    assert arena.dry_run(study(subjects=4)).calls == 6
    arena.run(study(subjects=4))
    assert (arena.dry_run(study(subjects=4)).calls, arena.dry_run(study(subjects=4)).models) == (
        0,
        (),
    )


def test_prices_bounds_and_lengths_show_in_dollars(tmp_path: Path) -> None:
    made = debates(replace(agent(), sampling=Sampling(max_tokens=2000)), motions=1)
    arena = Arena(tmp_path / "a.duckdb", prices={"scripted/echo": Price(0.0, 1000.0)})
    short, long = arena.dry_run(made, reply_tokens=100), arena.dry_run(made, reply_tokens=1000)
    assert (short.usd, long.usd) == (pytest.approx(0.6), pytest.approx(6.0))
    # Six replies, and each of them asked once more.
    assert short.usd_if_longest == long.usd_if_longest == pytest.approx(24.0)
    assert long.tokens_in > short.tokens_in
    with pytest.raises(StudyError, match="at least 1 token"):
        arena.dry_run(made, reply_tokens=0)


def test_the_worst_case_has_a_second_ask_for_what_may_be_unreadable_alone(tmp_path: Path) -> None:
    async def speak(episode: Episode, motion: Subject, speaker: Seat) -> None:
        await episode.ask(speaker, motion.text, phase="rated", read=rating)
        await episode.ask(speaker, motion.text, phase="free")

    def mute(request: Request) -> Reply:
        return Reply("no number", tokens_in=9, tokens_out=100)

    paid = replace(agent(reply=mute), sampling=Sampling(max_tokens=100))
    made = Study("s", [Arm("a", speak, [{"speaker": paid}])], [MOTION])
    arena = Arena(tmp_path / "a.duckdb", prices={"scripted/echo": Price(1000.0, 1000.0)})
    estimate = arena.dry_run(made)
    assert (estimate.calls, estimate.calls_at_most) == (2, 3)
    assert "2 calls (at most 3 with re-asks)" in describe_estimate(estimate)
    summary = arena.run(made)
    assert summary.calls == 3
    assert estimate.usd_if_longest >= summary.cost_usd
    # Of the second ask the prompt holds the first reply, too.
    once = Arena(tmp_path / "b.duckdb", prices=arena.prices).dry_run(
        Study(
            "s",
            [Arm("a", speak, [{"speaker": replace(paid, sampling=Sampling(max_tokens=1))}])],
            [MOTION],
        )
    )
    assert estimate.usd_if_longest - once.usd_if_longest == pytest.approx((3 + 1) * 99 / 1000)


@pytest.mark.slow
def test_a_large_study_is_estimated_from_a_sample(tmp_path: Path) -> None:
    estimate = Arena(tmp_path / "a.duckdb").dry_run(debates(agent(), motions=1500))
    assert (estimate.episodes, estimate.played, estimate.calls) == (1500, 1000, 9000)


def test_a_protocol_that_never_ends_or_breaks_is_said_and_not_hung_on(tmp_path: Path) -> None:
    async def until_agreed(episode: object, motion: object, speaker: object) -> None:
        while (await episode.ask(speaker, motion.text, phase="x", read=rating)).answer != "yes":  # type: ignore[attr-defined]
            pass

    async def breaks(episode: object, motion: object, speaker: object) -> None:
        await episode.ask(speaker, motion.text, phase="x", read=rating)  # type: ignore[attr-defined]
        raise ValueError("no vote")

    arms = [
        Arm("e", until_agreed, [{"speaker": agent()}]),
        Arm("b", breaks, [{"speaker": agent("b")}]),
    ]
    estimate = Arena(tmp_path / "a.duckdb").dry_run(Study("s", arms, [MOTION]))
    assert estimate.failed == 2
    assert estimate.why is not None
    assert estimate.why.startswith("Endless: more than 2000 turns in one episode")


def test_a_reader_that_keeps_thoughts_private_and_finds_nothing_else_accuses_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def numbers(reply: Reply) -> Reading:
        speech = speech_only(reply)
        if (speech.public or "").strip().isdigit():
            return speech
        ask = "Exactly so, N for a number:\n<speech>N</speech>"
        return replace(speech, public=None, missing=("public",), reask=ask)

    def nothing(reply: Reply) -> Reading:
        return replace(numbers(reply), reask="Again.")

    def goes_on(read: Callable[[Reply], Reading]) -> Protocol:
        async def speak(episode: Episode, motion: Subject, speaker: Seat) -> None:
            first = await episode.ask(speaker, motion.text, phase="x", read=read)
            if first.public is not None and first.public.isdigit():
                await episode.ask(speaker, motion.text, phase="y", read=rating)

        return speak

    arms = [
        Arm(name, goes_on(read), [{"speaker": agent()}])
        for name, read in (("form", numbers), ("none", nothing))
    ]
    estimate = Arena(tmp_path / "a.duckdb").dry_run(Study("s", arms, [MOTION]))
    assert (estimate.failed, estimate.calls) == (0, 3)
    print_estimate("s", replace(estimate, failed=1, why="x"), None)
    out = capsys.readouterr().out
    assert "2 episodes to play, but 1 of 2 are not counted, 3 calls" in out
    assert "all that are counted" in out


def test_the_arm_is_played_in_the_way_that_asks_most(tmp_path: Path) -> None:
    """Whatever a protocol ends early by: an answer, none, a reply cut off, or one that was not."""

    def ends_if(early: Callable[[Turn], bool]) -> Protocol:
        async def speak(episode: Episode, motion: Subject, speaker: Seat) -> None:
            first = await episode.ask(speaker, motion.text, phase="first", read=rating)
            for number in range(0 if early(first) else 3):
                await episode.ask(speaker, motion.text, phase=f"more {number}", read=rating)

        return speak

    reasons: list[Callable[[Turn], bool]] = [
        lambda turn: turn.answer is None,
        lambda turn: turn.answer is not None,
        lambda turn: turn.finish_reason == "length",
        lambda turn: turn.finish_reason == "stop",
        lambda turn: turn.answer is None or turn.finish_reason == "stop",
    ]
    speaker = replace(agent(), sampling=Sampling(max_tokens=10))
    arms = [Arm(f"a{i}", ends_if(early), [{"speaker": speaker}]) for i, early in enumerate(reasons)]
    estimate = Arena(tmp_path / "a.duckdb").dry_run(Study("s", arms, [MOTION]))
    assert (estimate.failed, estimate.calls) == (0, 4 * len(reasons))
