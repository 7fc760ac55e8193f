"""The debate: who sees what in each configuration of the paper, over real HTTP, and that private
words stay private.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any, get_args

import pytest

from agents import agent
from arena import Arena, Arm, Study, Subject, reveal, round_robin
from arena.errors import LeakError, StudyError
from arena.play.memory import MemoryJournal
from arena.studies.study import plays
from arena.types import Agent, Request
from protocols import laws
from protocols.debate import (
    FOUR_SPEECHES,
    PRESETS,
    SELF_PRESETS,
    THREE_SPEECHES,
    WORDINGS,
    Wording,
    debate,
)
from tests.fake_agents import agent as scripted_agent
from tests.fake_server import ChatServer, chat_server

MOTION = Subject("This house would test in both directions.")


def marked(body: dict[str, Any]) -> str:
    """A reply whose every part carries a marker of its own: thoughts, speech, and a rating that no
    other reply has.
    """
    mark = hashlib.sha256(repr(sorted(body.items())).encode()).hexdigest()[:10]
    return (
        f"<speech>says-{mark}</speech>\n<thoughts>thinks-{mark}</thoughts>\n"
        f"<rating>{number(mark)}</rating>"
    )


def number(mark: str) -> str:
    """A rating between 20 and 90 with two decimals, neither of them 0."""
    n = int(mark, 16)
    return f"{20 + n % 70}.{1 + n // 70 % 9}{1 + n // 630 % 9}"


def broken(body: dict[str, Any]) -> str:
    """The same, but with a broken tag at the first ask."""
    reply = marked(body)
    return reply if len(body["messages"]) > 1 else reply.replace("</thoughts>", "<thoughts>")


async def played(
    path: Path, preset: str, reply: Callable[[dict[str, Any]], str] = marked
) -> tuple[Arena, ChatServer]:
    """One debate in a configuration, against a real server."""
    async with chat_server(reply) as server:
        speaker = agent(f"http/any@{server.url}")
        study = Study(
            "s",
            [
                Arm(
                    preset,
                    debate,
                    [{"proposition": speaker, "opposition": speaker}],
                    PRESETS[preset],
                )
            ],
            [MOTION],
        )
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
                for author in (reader, other):
                    face = "rated" if preset == "public" else "public"
                    rows.add((reader, now, author, then, face))
                if memory:
                    rows.add((reader, now, reader, then, "notes"))
            if preset == "multi_round" and reader == "opposition":
                rows.add((reader, now, other, now, "public"))
    return rows


@pytest.mark.parametrize("preset", PRESETS)
async def test_each_side_sees_what_the_paper_says_and_nothing_private_of_the_other(
    tmp_path: Path, preset: str
) -> None:
    arena, server = await played(tmp_path / "a.duckdb", preset)
    seen = arena.sql("select reader, round, author, author_round, face from who_saw_what").rows
    assert len(seen) == len(set(seen))
    assert set(seen) == expected(preset)
    assert (
        len(server.requests)
        == len(arena.sql("from turns"))
        == (8 if preset == "multi_round" else 6)
    )
    check_that_private_words_stay_private(arena, server, preset)


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
async def test_what_was_said_with_broken_tags_and_asked_again_stays_private_too(
    tmp_path: Path, preset: str
) -> None:
    arena, server = await played(tmp_path / "a.duckdb", preset, broken)
    assert arena.sql(
        "select distinct asks, public is null, confidence is null from turns"
    ).rows == ((2, False, False),)
    assert set(
        arena.sql("select reader, round, author, author_round, face from who_saw_what").rows
    ) == expected(preset)
    check_that_private_words_stay_private(arena, server, preset)


def check_that_private_words_stay_private(arena: Arena, server: ChatServer, preset: str) -> None:
    """Search every request to the other side for the markers of each raw reply: a rating is there
    where it is public, thoughts never.
    """
    last = max(arena.sql("select max(round) from turns").rows[0])
    for turn in arena.sql(
        "select seat, round, text, coalesce(reask_text, '') as again, confidence from turns"
    ).dicts():
        others = [words for seat, words in requests_by_seat(server) if seat != turn["seat"]]
        marks = set(re.findall("thinks-([0-9a-f]{10})", turn["text"] + turn["again"]))
        assert len(marks) == 1 + bool(turn["again"])
        assert not any(f"thinks-{mark}" in words for mark in marks for words in others)
        told = {mark for mark in marks if any(number(mark) in words for words in others)}
        public = {mark for mark in marks if number(mark) == f"{100 * turn['confidence']:.2f}"}
        assert told == (public if preset == "public" and turn["round"] < last else set())


def requests_by_seat(server: ChatServer) -> Iterator[tuple[str, str]]:
    """(seat, words) of every request that the server received."""
    for received in server.requests:
        words = "\n".join(message["content"] for message in received.body["messages"])
        yield "proposition" if "You are the proposition" in words else "opposition", words


@pytest.mark.slow
@pytest.mark.parametrize("preset", SELF_PRESETS)
async def test_a_copy_is_told_so_and_even_odds_only_in_informed(
    tmp_path: Path, preset: str
) -> None:
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
    return (
        f"<thoughts>thinks-{request.seed}</thoughts><speech>says-{request.seed}</speech>"
        f"<rating>{request.seed % 100 + 0.5}</rating>"
        if "<lose>" not in request.messages[0].content
        else f"<thoughts>thinks-{request.seed}</thoughts><speech>says-{request.seed}</speech>"
        f"<win>{request.seed % 100 + 0.5}</win><lose>{request.seed % 90 + 0.5}</lose>"
    )


def pair() -> dict[str, Agent]:
    return {"proposition": scripted_agent("a", reply), "opposition": scripted_agent("b", reply)}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"schedule": "sequential", "phases": FOUR_SPEECHES},
        {"confidence": "public"},
        {"confidence": "none"},
        {"memory": False, "rating": "scored"},
        {"rating": "win_and_lose", "wording": "second"},
        {"rating": "stake", "wording": "third", "opponent_note": "copy"},
        {"opponent": "unheard", "wording": "second"},
        {"opponent": "misplaced", "confidence": "public"},
        {"opponent": "misplaced", "schedule": "sequential", "phases": ("opening", "closing")},
        {"asked": "once"},
        {"phases": ("before", "opening", "closing"), "wording": "third"},
        {"phases": ("before",), "rating": "win_and_lose", "confidence": "public"},
    ],
)
def test_the_debate_obeys_the_laws(options: dict[str, object]) -> None:
    laws.check(debate, pair(), MOTION, options=options)


def test_no_text_of_a_wording_changes() -> None:
    """If this fails: put the text back, and let what you wanted to say be a further wording."""
    texts = {
        name: hashlib.sha256(repr(astuple(words)).encode()).hexdigest()[:12]
        for name, words in WORDINGS.items()
    }
    assert texts == {
        "first": "df745486bf45",
        "second": "a07bb1bdbc4d",
        "third": "16817158f7ff",
    }
    assert set(WORDINGS) == set(get_args(Wording))


def test_wordings_differ_in_every_text_and_have_the_same_parts() -> None:
    first, *others = (astuple(words) for words in WORDINGS.values())
    for mine, *theirs in zip(first, *others, strict=True):
        parts = [each if isinstance(each, dict) else {"text": each} for each in (mine, *theirs)]
        assert len({tuple(part) for part in parts}) == 1
        for name, text in parts[0].items():
            # Both words of a side are what the law of the mirror swaps; a missing note is none.
            if name not in ("none", "proposition", "opposition"):
                assert len({part[name] for part in parts}) == len(parts), text
            fields = {tuple(sorted(re.findall(r"{\w+}", part[name]))) for part in parts}
            assert len(fields) == 1


def test_the_chances_of_winning_and_losing_are_stored_apart(tmp_path: Path) -> None:
    def answers(request: Request) -> str:
        if request.place.ask:
            return "<lose>70</lose>" if request.place.seat == "proposition" else "no number"
        return f"<thoughts>t</thoughts><speech>s{request.seed}</speech><win>60</win>"

    speaker = scripted_agent("a", answers)
    lineup = {"proposition": speaker, "opposition": speaker}
    options = {"rating": "win_and_lose", "phases": ("opening", "closing")}
    arena = Arena(tmp_path / "a.duckdb")
    arena.run(Study("s", [Arm("a", debate, [lineup], options)], [MOTION]))
    assert arena.sql(
        "select seat, confidence, confidence_source, asks, value from turns"
        " left join measures using (episode, seat, step) order by all"
    ).rows == (
        *[("opposition", 0.6, "stated", 2, None)] * 2,
        *[("proposition", 0.6, "stated", 2, 0.7)] * 2,
    )
    # A number that was read after a re-ask is private, and shown to nobody.
    prompts = arena.sql("select words from turns t, prompt_of(t.episode, t.seat, t.step)").rows
    assert not any("70" in (words or "") for (words,) in prompts)


@pytest.mark.parametrize(
    ("rating", "source"),
    [
        ("likelihood", "stated"),
        ("stake", "stake"),
        ("both", "stated and stake"),
        ("scored", "scored"),
    ],
)
def test_a_rating_is_stored_as_what_was_asked_for(rating: str, source: str) -> None:
    case = laws.Case(debate, pair(), MOTION, {"rating": rating, "phases": ("opening",)})
    journal = MemoryJournal()
    case.play("rating", laws.answer_at_once, journal)
    assert {row["confidence_source"] for row in journal.rows("turns")} == {source}


def test_a_broken_law_is_found() -> None:
    async def gossip(episode: Any, motion: Subject, proposition: Any, opposition: Any) -> None:
        from protocols.parsing.tags import speech_and_confidence as speech

        said = await episode.ask(proposition, "speak", phase="opening", read=speech)
        await episode.ask(
            opposition, f"they think {reveal(said.thoughts)}", phase="opening", read=speech
        )

    gossip.__globals__["VERSION"] = "1"
    with pytest.raises(laws.BrokenLawError, match="privacy: the thoughts of proposition"):
        laws.check(gossip, pair(), MOTION)


def test_showing_the_other_sides_thoughts_is_a_leak_and_fails_the_episode(tmp_path: Path) -> None:
    from arena import own

    async def leak(episode: Any, motion: Subject, proposition: Any, opposition: Any) -> None:
        said = await episode.ask(proposition, "speak", phase="opening")
        await episode.ask(opposition, own(said), phase="opening")

    leak.__globals__["VERSION"] = "1"
    Arena(tmp_path / "a.duckdb").run(Study("s", [Arm("a", leak, [pair()])], [MOTION]))
    assert Arena(tmp_path / "a.duckdb").sql("select error_kind from episodes").rows == (
        (LeakError.__name__,),
    )


def test_an_unreadable_speech_is_shown_as_ours_and_the_debate_goes_on(tmp_path: Path) -> None:
    def mute(request: Request) -> str:
        return (
            "no tags at all, with a SECRET"
            if request.place.seat == "proposition"
            else reply(request)
        )

    lineup = {"proposition": scripted_agent("mute", mute), "opposition": scripted_agent("b", reply)}
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(Study("s", [Arm("a", debate, [lineup])], [MOTION])).done == 1
    rows = arena.sql(
        "select distinct public, confidence, confidence_status, asks from turns where seat ="
        " 'proposition'"
    ).rows
    assert rows == ((None, None, "no rating tag", 2),)
    assert arena.sql("select what, n from missing where reason <> 'x' order by all").rows == (
        *[("confidence", 1)] * 3,
        *[("speech", 1)] * 3,
    )


def test_without_ratings_nobody_is_asked_for_one(tmp_path: Path) -> None:
    arena = Arena(tmp_path / "a.duckdb")
    arena.run(Study("s", [Arm("a", debate, [pair()], {"confidence": "none"})], [MOTION]))
    assert arena.sql("select distinct confidence, confidence_status from turns").rows == (
        (None, "not asked"),
    )
    assert len(arena.sql("from missing")) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"schedule": "parallel"}, "'simultaneous' or 'sequential'"),
        ({"phases": ("opening", "finale")}, "phases"),
        ({"rounds": 3}, "no option"),
        ({"phases": ()}, "at least 1 item"),
        ({"memory": "perhaps"}, "memory"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_asked(
    options: dict[str, object], words: str
) -> None:
    with pytest.raises(StudyError, match=words):
        plays(
            Study(
                "s", [Arm("a", debate, list(round_robin(list(pair().values()))), options)], [MOTION]
            )
        )


def test_both_sides_of_a_phase_are_asked_at_the_same_time(tmp_path: Path) -> None:
    """Neither reply comes before both were asked; were they asked in turn, the first would wait for
    ever.
    """
    asked: list[str] = []
    both = asyncio.Barrier(2)

    async def waiting(request: Request) -> str:
        asked.append(request.place.phase)
        await both.wait()
        return reply(request)

    lineup = {
        "proposition": scripted_agent("a", waiting),
        "opposition": scripted_agent("b", waiting),
    }
    assert (
        Arena(tmp_path / "a.duckdb").run(Study("s", [Arm("a", debate, [lineup])], [MOTION])).done
        == 1
    )
    assert asked == [phase for phase in THREE_SPEECHES for _ in range(2)]


def shared_share(prompts: list[str]) -> float:
    """The share of the prompts' characters that repeat the beginning of an earlier prompt."""

    def alike(one: str, other: str) -> int:
        pairs = enumerate(zip(one, other, strict=False))
        return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))

    shared = [
        max((alike(prompt, sent) for sent in prompts[:number]), default=0)
        for number, prompt in enumerate(prompts)
    ]
    return sum(shared) / sum(map(len, prompts))


@pytest.mark.parametrize("preset", PRESETS)
def test_what_the_requests_of_a_debate_share_stands_first(preset: str) -> None:
    """Speeches as long as published ones, of some 850 words."""

    def long(request: Request) -> str:
        return (
            f"<speech>{f'word{request.seed} ' * 400}</speech><thoughts>t{request.seed}</thoughts>"
            "<rating>70</rating>"
        )

    speaker = scripted_agent("a", long)
    lineup = {"proposition": speaker, "opposition": speaker}
    case = laws.Case(debate, lineup, MOTION, PRESETS[preset])
    requests, _ = case.play("prefix", laws.answer_at_once)
    assert shared_share([request.messages[-1].content for request in requests]) > 0.5


def test_misplaced_speeches_are_those_of_the_same_agents_on_another_motion() -> None:
    case = laws.Case(debate, pair(), MOTION, {"opponent": "misplaced"})
    journal = MemoryJournal()
    requests, _ = case.play("misplaced", laws.answer_at_once, journal)
    turns = journal.rows("turns")
    assert Counter(turn["seat"] for turn in turns) == {
        "proposition": 3,
        "opposition": 3,
        # Their closing speeches nobody would read.
        "proposition elsewhere": 2,
        "opposition elsewhere": 2,
    }
    shown = {
        (turn["seat"], turn["step"], part["seat"], part["step"], part["face"])
        for turn in turns
        for part in turn["prompt"]
        if "seat" in part
    }
    other = {"proposition": "opposition elsewhere", "opposition": "proposition elsewhere"}
    for side, across in other.items():
        read = [
            (seat, face) for reader, step, seat, _, face in shown if (reader, step) == (side, 2)
        ]
        assert Counter(read) == {(side, "public"): 2, (side, "notes"): 2, (across, "public"): 2}
    motions = {
        request.place.seat: request.messages[-1].content.partition("Motion: ")[2].partition("\n")[0]
        for request in requests
    }
    assert motions["proposition"] == motions["opposition"] == MOTION.text
    assert motions["proposition elsewhere"] == motions["opposition elsewhere"] != MOTION.text
    # To the reader it is the opposition's speech.
    (last,) = (r for r in requests if (r.place.seat, r.place.step) == ("proposition", 2))
    assert "elsewhere" not in last.messages[-1].content


def test_a_misplaced_speech_needs_another_motion(tmp_path: Path) -> None:
    options = {"opponent": "misplaced", "other_motions": (MOTION.text,)}
    with pytest.raises(StudyError, match="another motion than the debate's own"):
        Arena(tmp_path / "a.duckdb").run(
            Study("s", [Arm("a", debate, [pair()], options)], [MOTION])
        )


def test_a_side_that_is_not_heard_reads_its_own_words_alone() -> None:
    case = laws.Case(debate, pair(), MOTION, {"opponent": "unheard"})
    requests, result = case.play("unheard", laws.answer_at_once)
    for request in requests:
        words = request.messages[-1].content
        for turn in result.turns:
            is_own = turn["seat"] == request.place.seat and turn["phase"] != request.place.phase
            assert (turn["public"] in words) <= is_own


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({"asked": "once"}, ["closing"]),
        ({"asked": "once", "confidence": "none"}, []),
        ({"phases": ("before", "opening", "closing")}, ["before", "opening", "closing"]),
        ({"phases": ("before", "closing"), "asked": "once"}, ["closing"]),
        ({"phases": ("before",)}, ["before"]),
    ],
)
def test_a_rating_is_asked_for_when_the_arm_says_so(
    options: dict[str, object], asked: list[str]
) -> None:
    journal = MemoryJournal()
    case = laws.Case(debate, pair(), MOTION, options)
    requests, _ = case.play("asked", laws.answer_at_once, journal)
    turns = journal.rows("turns")
    rated = [turn for turn in turns if turn["confidence"] is not None]
    assert sorted(turn["phase"] for turn in rated) == sorted(2 * asked)
    told = {
        request.place.phase for request in requests if "<rating>" in request.messages[-1].content
    }
    assert told == set(asked)
    # Nothing is said before the debate, and nothing of it is missing.
    assert all((turn["public"] == "") == (turn["phase"] == "before") for turn in turns)
