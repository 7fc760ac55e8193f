"""The debate: who sees what in each configuration of the paper, over real HTTP, and that private words stay private."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import ChatServer, chat_server
from talks import agent as scripted_agent

from agents import agent
from arena import Arena, Arm, Study, Subject, round_robin
from arena.errors import LeakError, StudyError
from arena.study import plays
from arena.types import Agent, Request
from protocols import laws
from protocols.debate import FOUR_SPEECHES, PRESETS, SELF_PRESETS, THREE_SPEECHES, debate

MOTION = Subject("This house would test in both directions.")


def marked(body: dict[str, Any]) -> str:
    """A reply whose every part carries a marker of its own: thoughts, speech, and a rating that no other reply has."""
    mark = hashlib.sha256(repr(sorted(body.items())).encode()).hexdigest()[:10]
    rating = 20 + int(mark, 16) % 7000 / 100
    return f"<thoughts>thinks-{mark}</thoughts>\n<speech>says-{mark}</speech>\n<rating>{rating:.2f}</rating>"


async def played(path: Path, preset: str) -> tuple[Arena, ChatServer]:
    """One debate in a configuration, against a real server."""
    async with chat_server(marked) as server:
        speaker = agent(f"http/any@{server.url}")
        study = Study("s", [Arm(preset, debate, [{"proposition": speaker, "opposition": speaker}], PRESETS[preset])], [MOTION])
        summary = await Arena(path).play(study)
    assert summary.done == 1
    return Arena(path), server


def expected(preset: str) -> set[tuple[str, int, str, int, str]]:
    """(reader, round, author, author's round, face) as the facts of the paper say."""
    rounds = range(4 if preset == "multi_round" else 3)
    memory = preset in ("cross_model", "self", "public")
    rows = set()
    for reader, other in (("proposition", "opposition"), ("opposition", "proposition")):
        for now in rounds:
            for then in range(now):
                rows.add((reader, now, reader, then, "own" if memory else "public"))
                rows.add((reader, now, other, then, "rated" if preset == "public" else "public"))
            if preset == "multi_round" and reader == "opposition":
                rows.add((reader, now, other, now, "public"))
    return rows


@pytest.mark.parametrize("preset", PRESETS)
async def test_each_side_sees_what_the_paper_says_and_nothing_private_of_the_other(tmp_path: Path, preset: str) -> None:
    arena, server = await played(tmp_path / "a.duckdb", preset)
    seen = arena.sql("select reader, round, author, author_round, face from who_saw_what").rows
    assert len(seen) == len(set(seen))
    assert set(seen) == expected(preset)
    turns = arena.sql("select seat, text, thoughts, confidence, public from turns").dicts()
    assert len(turns) == len(server.requests) == (8 if preset == "multi_round" else 6)
    for turn in turns:
        others = [words for seat, words in requests_by_seat(server) if seat != turn["seat"]]
        rating = f"{100 * turn['confidence']:g}"
        assert not any(turn["thoughts"] in words for words in others)
        shown = any(re.search(rf"\[rating: {re.escape(rating)} out of 100\]", words) for words in others)
        told_later = turn["public"] in "".join(others)
        assert shown == (preset == "public" and told_later)


def requests_by_seat(server: ChatServer) -> Iterator[tuple[str, str]]:
    """(seat, words) of every request that the server received."""
    for received in server.requests:
        words = received.body["messages"][-1]["content"]
        yield ("proposition" if "debating the motion below as the proposition" in words else "opposition"), words


@pytest.mark.parametrize("preset", SELF_PRESETS)
async def test_a_copy_is_told_so_and_even_odds_only_in_informed(tmp_path: Path, preset: str) -> None:
    _, server = await played(tmp_path / "a.duckdb", preset)
    for _, words in requests_by_seat(server):
        assert "Your opponent is a copy of you" in words
        assert ("exactly 50%" in words) == (preset == "informed")
        assert ("best case that your opponent will win" in words) == (preset == "red_team")
        assert ("how likely you are to win" in words) == (preset != "multi_round")
        assert ("Your rating is public" in words) == (preset == "public")


def test_presets_are_the_papers_configurations() -> None:
    assert list(PRESETS) == ["cross_model", "self", "informed", "public", "red_team", "multi_round"]
    assert "cross_model" not in SELF_PRESETS
    assert len(SELF_PRESETS) == 5


def reply(request: Request) -> str:
    """A well-formed reply that depends on the seed."""
    return f"<thoughts>thinks-{request.seed}</thoughts><speech>says-{request.seed}</speech><rating>{request.seed % 100 + 0.5}</rating>"


def pair() -> dict[str, Agent]:
    return {"proposition": scripted_agent("a", reply), "opposition": scripted_agent("b", reply)}


@pytest.mark.parametrize(
    "options", [{}, {"schedule": "sequential", "phases": FOUR_SPEECHES}, {"confidence": "public"}, {"confidence": "none"}, {"memory": False}]
)
def test_the_debate_obeys_the_laws(tmp_path: Path, options: dict[str, object]) -> None:
    laws.check(debate, pair(), MOTION, tmp_path, options=options)


def test_a_broken_law_is_found(tmp_path: Path) -> None:
    async def gossip(episode: Any, motion: Subject, proposition: Any, opposition: Any) -> None:
        from agents.elicit import speech_and_confidence

        said = await episode.ask(proposition, "speak", phase="opening", read=speech_and_confidence)
        await episode.ask(opposition, f"they think {said.thoughts}", phase="opening", read=speech_and_confidence)

    gossip.__globals__["VERSION"] = "1"
    with pytest.raises(laws.LawBroken, match="privacy: the thoughts of proposition"):
        laws.check(gossip, pair(), MOTION, tmp_path)


def test_showing_the_other_sides_thoughts_is_a_leak_and_fails_the_episode(tmp_path: Path) -> None:
    from arena import own

    async def leak(episode: Any, motion: Subject, proposition: Any, opposition: Any) -> None:
        said = await episode.ask(proposition, "speak", phase="opening")
        await episode.ask(opposition, own(said), phase="opening")

    leak.__globals__["VERSION"] = "1"
    Arena(tmp_path / "a.duckdb").run(Study("s", [Arm("a", leak, [pair()])], [MOTION]))
    assert Arena(tmp_path / "a.duckdb").sql("select error_kind from episodes").rows == ((LeakError.__name__,),)


def test_an_unreadable_speech_is_shown_as_ours_and_the_debate_goes_on(tmp_path: Path) -> None:
    def mute(request: Request) -> str:
        return "no tags at all, with a SECRET" if request.place.seat == "proposition" else reply(request)

    lineup = {"proposition": scripted_agent("mute", mute), "opposition": scripted_agent("b", reply)}
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(Study("s", [Arm("a", debate, [lineup])], [MOTION])).done == 1
    rows = arena.sql("select distinct public, confidence, confidence_status, asks from turns where seat = 'proposition'").rows
    assert rows == ((None, None, "no rating tag", 2),)
    assert arena.sql("select what, n from missing where reason <> 'x' order by all").rows == (
        *[("confidence", 1)] * 3,
        *[("speech", 1)] * 3,
    )


def test_without_ratings_nobody_is_asked_for_one(tmp_path: Path) -> None:
    arena = Arena(tmp_path / "a.duckdb")
    arena.run(Study("s", [Arm("a", debate, [pair()], {"confidence": "none"})], [MOTION]))
    assert arena.sql("select distinct confidence, confidence_status from turns").rows == ((None, "not asked"),)
    assert len(arena.sql("from missing")) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [({"schedule": "parallel"}, "'simultaneous' or 'sequential'"), ({"phases": ("opening", "finale")}, "phases"), ({"rounds": 3}, "no option")],
)
def test_a_wrong_option_is_refused_before_anything_is_asked(options: dict[str, object], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        plays(Study("s", [Arm("a", debate, list(round_robin(list(pair().values()))), options)], [MOTION]))


def test_three_speeches_is_the_default() -> None:
    assert THREE_SPEECHES == ("opening", "rebuttal", "closing")
