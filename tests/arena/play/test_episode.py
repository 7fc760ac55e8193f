"""Episode.ask: memo, re-ask, seats, seeds and streams."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from arena.calls.ledger import RunContext
from arena.calls.rate_limits import RateLimiter
from arena.errors import BusySeatError, RefusedError, ReplayError
from arena.play.episode import Episode
from arena.play.reading import fill_gaps
from arena.play.run import Arena, RunSelection
from arena.store.journal import Journal
from arena.studies.study import Arm, Study
from arena.types import Reading, Request, Seat, Subject
from tests.fake_agents import agent, by_seed, rating, study

VERSION = "1"


@pytest.fixture
def run(tmp_path: Path) -> RunContext:
    return RunContext("r", Journal(tmp_path, "r"), RateLimiter(4))


async def test_one_seat_cannot_be_asked_twice_at_once(run: RunContext) -> None:
    episode, seat = Episode("e", run), Seat("judge", agent())
    with pytest.raises(BusySeatError, match="seats of their own"):
        await asyncio.gather(episode.ask(seat, "a", phase="x"), episode.ask(seat, "b", phase="x"))


async def test_a_seat_can_be_asked_again_when_it_has_spoken(run: RunContext) -> None:
    episode, seat = Episode("e", run), Seat("judge", agent())
    turns = [await episode.ask(seat, "a", phase="x") for _ in range(3)]
    assert [turn.step for turn in turns] == [0, 1, 2]
    assert len({turn.text for turn in turns}) == 3


async def test_what_was_unreadable_is_asked_for_once_in_the_same_conversation(
    run: RunContext,
) -> None:
    asked: list[Request] = []

    def reply(request: Request) -> str:
        asked.append(request)
        return "my speech" if request.place.ask == 0 else "another speech|70"

    turn = await Episode("e", run).ask(
        Seat("judge", agent(reply=reply)), "speak", phase="x", read=rating
    )
    assert (turn.public, turn.confidence, turn.confidence_status) == ("my speech", 0.7, "read")
    assert [message.role for message in asked[1].messages] == ["user", "assistant", "user"]
    assert asked[1].messages[1:] == (
        type(asked[1].messages[0])("assistant", "my speech"),
        type(asked[1].messages[0])("user", "the number?"),
    )


async def test_after_the_re_ask_a_missing_rating_is_missing_with_its_reason(
    run: RunContext,
) -> None:
    turn = await Episode("e", run).ask(
        Seat("judge", agent(reply=lambda r: "no number")), "speak", phase="x", read=rating
    )
    assert (turn.confidence, turn.confidence_status) == (None, "no number")
    assert run.stats.unreadable == 1
    assert run.stats.replies == 2


async def test_seeds_and_streams_belong_to_the_episode(run: RunContext) -> None:
    seat = Seat("judge", agent())
    texts = [(await Episode(id, run).ask(seat, "a", phase="x")).text for id in ("e1", "e1", "e2")]
    assert texts[0] == texts[1] != texts[2]
    draws = [Episode(id, run).rng("order").random() for id in ("e1", "e1", "e2")]
    assert draws[0] == draws[1] != draws[2]
    episode = Episode("e1", run)
    assert episode.rng("order") is episode.rng("order") is not episode.rng("other")


def test_a_flag_doubts_the_words_that_are_kept() -> None:
    spoken = Reading("speech", confidence_status="no number", reask="?")
    rated = Reading(
        None, confidence=0.7, confidence_status="read", flags=("no speech tag",), reask="?"
    )
    assert fill_gaps(spoken, rated).flags == ()
    assert fill_gaps(rated, spoken).flags == ()
    assert fill_gaps(rated, rated).flags == ("no speech tag",)


def half_played(path: Path, agent_: object) -> None:
    """Play an episode whose opposition fails in the last round: five of six turns are stored."""
    summary = Arena(path).run(study(agent_, subjects=1))  # type: ignore[arg-type]
    assert summary.failed == 1


def fails_late(request: Request) -> str:
    if request.place.seat == "opposition" and request.place.round == 2:
        raise RefusedError("nothing came")
    return by_seed(request)


def test_a_failing_seat_takes_no_reply_of_the_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"

    async def slow_proposition(request: Request) -> str:
        if request.place.seat == "proposition":
            await asyncio.sleep(0.05)
        return fails_late(request)

    half_played(path, agent(reply=slow_proposition))
    assert Arena(path).sql("select count(*) from turns").rows == ((5,),)
    assert Arena(path).sql(
        "select status, error_kind, count(*) from calls group by all order by all"
    ).rows == (
        ("failed", "Refused", 1),
        ("ok", None, 5),
    )


@pytest.mark.slow
def test_a_retried_episode_asks_only_for_what_is_not_stored(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    faults = [fails_late]

    def reply(request: Request) -> str:
        return faults[0](request) if faults else by_seed(request)

    half_played(path, agent(reply=reply))
    faults.clear()
    again = study(agent(reply=reply), subjects=1)
    summary = Arena(path).run(again, selection=RunSelection(retry_failed=True))
    assert (summary.done, summary.failed, summary.replayed, summary.replies) == (1, 0, 5, 1)
    untouched = tmp_path / "b.duckdb"
    Arena(untouched).run(study(agent(), subjects=1))
    texts = (
        "select seat, step, text, public, confidence, seed, request_hash from turns order by all"
    )
    assert Arena(path).sql(texts) == Arena(untouched).sql(texts)


def test_a_replay_that_asks_something_else_is_named_and_leaves_the_episode_open(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.duckdb"
    prompts = ["first"]

    async def moody(episode: Episode, motion: Subject, speaker: Seat) -> None:
        await episode.ask(speaker, prompts[0], phase="opening")
        await episode.ask(speaker, "second", phase="closing")

    def reply(request: Request) -> str:
        if request.place.step == 1 and prompts[0] == "first":
            raise RefusedError("nothing")
        return "words"

    moody.__globals__["VERSION"] = "1"
    made = Study("moody", [Arm("a", moody, [{"speaker": agent(reply=reply)}])], [Subject("s")])
    Arena(path).run(made)
    prompts[0] = "changed"
    with pytest.raises(ReplayError, match=r"step 0 \(opening\)"):
        Arena(path).run(made, selection=RunSelection(retry_failed=True))
    assert Arena(path).sql("select count(*) from turns").rows == ((1,),)


def test_a_reader_that_fails_loses_no_reply(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    broken = [True]

    def read(text: str) -> Reading:
        if broken[0]:
            raise ValueError("a bug in the reader")
        return Reading(text)

    async def told(episode: Episode, motion: Subject, speaker: Seat) -> None:
        await episode.ask(speaker, "speak", phase="opening", read=read)

    made = Study("told", [Arm("a", told, [{"speaker": agent()}])], [Subject("s")])
    assert Arena(path).run(made).failed == 1
    broken[0] = False
    summary = Arena(path).run(made, selection=RunSelection(retry_failed=True))
    assert (summary.done, summary.replies) == (1, 0)
    assert Arena(path).sql("select public is not null from turns").rows == ((True,),)


def test_a_stopped_re_ask_goes_on_with_the_re_ask(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    down = [True]

    def reply(request: Request) -> str:
        if request.place.ask == 1 and down[0]:
            raise RefusedError("nothing")
        return "words" if request.place.ask == 0 else "|80"

    made = study(agent(reply=reply), subjects=1, rounds=1)
    Arena(path).run(made)
    assert Arena(path).sql("select count(*) from unfinished_turns").rows == ((2,),)
    down[0] = False
    summary = Arena(path).run(made, selection=RunSelection(retry_failed=True))
    assert (summary.done, summary.replies) == (1, 2)
    assert Arena(path).sql(
        "select distinct asks, public, confidence, reask_text from turns"
    ).rows == ((2, "words", 0.8, "|80"),)


def test_order_of_arrival_changes_nothing(tmp_path: Path) -> None:
    transcripts = []
    for order in (1, -1):

        async def reply(request: Request, order: int = order) -> str:
            await asyncio.sleep(0.001 * (1 + order * (request.seed % 7) / 7))
            return by_seed(request)

        path = tmp_path / f"{order}.duckdb"
        Arena(path).run(study(agent(reply=reply), subjects=3))
        transcripts.append(
            Arena(path).sql(
                "select episode, seat, step, text, request_hash from turns order by all"
            )
        )
    assert transcripts[0] == transcripts[1]
    assert len(transcripts[0]) == 18


def test_saw_names_every_turn_in_a_prompt(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    Arena(path).run(study(agent(), subjects=1))
    seen = (
        Arena(path)
        .sql(
            "select reader, round, author, author_round, face from who_saw_what"
            " where round = 1 order by all"
        )
        .rows
    )
    assert seen == (
        ("opposition", 1, "opposition", 0, "own"),
        ("opposition", 1, "proposition", 0, "public"),
        ("proposition", 1, "opposition", 0, "public"),
        ("proposition", 1, "proposition", 0, "own"),
    )


def test_saw_names_system_prompts_and_the_reply_before_a_re_ask(tmp_path: Path) -> None:
    def reply(request: Request) -> str:
        return "words" if request.place.ask == 0 else "|80"

    speaker = replace(agent(reply=reply), system="You speak in plain words.")
    arena = Arena(tmp_path / "a.duckdb")
    arena.run(study(speaker, subjects=1, rounds=1))
    read = arena.sql(
        "select w.seat, w.step, seen_seat, seen_step, face, r.reask_prompt is not null, p.system"
        " from saw w left join turns r on r.episode = w.seen_episode and r.seat = w.seen_seat"
        " and r.step = w.seen_step left join seats p on p.episode = w.seen_episode"
        " and p.seat = w.seen_seat where w.seat = 'opposition' order by all"
    ).rows
    system = "You speak in plain words."
    assert read == (
        ("opposition", 0, "opposition", 0, "verbatim", True, system),
        ("opposition", 0, "opposition", None, "system", False, system),
    )
    assert arena.sql("from who_saw_what").rows == ()


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [None, "text", Reading("x", confidence=70), Reading(5)])  # type: ignore[arg-type]
def test_what_a_wrong_reader_makes_of_a_reply_costs_no_second_call(
    tmp_path: Path, wrong: object
) -> None:
    """The reply is paid for: it is kept unread, and read again when the reader has been mended."""
    read = [lambda reply: wrong if "says" in reply.text else Reading(reply.text), rating]

    async def speak(episode: Episode, motion: Subject, speaker: Seat) -> None:
        await episode.ask(speaker, "p", phase="x", read=lambda reply: read[0](reply))  # type: ignore[arg-type,return-value]

    made = Study("s", [Arm("a", speak, [{"speaker": agent()}])], [Subject("m")])
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(made).failed == 1
    del read[0]
    summary = arena.run(made, selection=RunSelection(retry_failed=True))
    assert (summary.done, summary.replies) == (1, 0)
    assert arena.sql("select status, count(*) from calls group by all").rows == (("ok", 1),)
