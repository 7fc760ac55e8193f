"""Which prompts begin with the same text, found out before a run; and the order that follows."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from arena import Agent, Arena, Arm, Study, Subject
from arena.play.episode import Episode
from arena.play.shared_prefixes import find_shared_prefixes, order_by_readers
from arena.studies.study import Play, plays
from arena.types import BaseModel, PromptCache, Reply, Request, Sampling, Seat
from protocols.debate import debate
from protocols.self_consistency import self_consistency

VERSION = "1"

WORDS = "a speech " * 60
SPEECH = "<speech>{words}</speech><thoughts>none</thoughts><rating>60</rating>"


class CachedModel(BaseModel):
    """A model whose provider keeps prompts of any length; it notes when calls begin and end."""

    prompt_cache = PromptCache(1)

    def __init__(self, name: str, words: str = SPEECH.format(words=WORDS)) -> None:
        self.name = name
        self.words = words
        self.requests: list[Request] = []
        self.events: list[tuple[str, Request]] = []

    async def __call__(self, request: Request) -> Reply:
        self.events.append(("begins", request))
        self.requests.append(request)
        await asyncio.sleep(0)
        self.events.append(("ends", request))
        return Reply(self.words, tokens_in=10, tokens_out=1)


def texts(request: Request) -> list[str]:
    """The beginnings that a request is told to share."""
    return [request.messages[each.message].content[: each.end] for each in request.shared]


def play(tmp_path: Path, study: Study) -> None:
    summary = Arena(tmp_path / "a.duckdb").run(study)
    assert summary.done == summary.planned


def test_sides_of_one_model_share_the_transcript_and_the_second_one_waits(tmp_path: Path) -> None:
    model = CachedModel("m/a")
    lineup = {"proposition": Agent("a", model), "opposition": Agent("a", model)}
    play(tmp_path, Study("s", [Arm("d", debate, [lineup])], [Subject("A motion.")]))
    by_place = {(each.place.seat, each.place.phase): each for each in model.requests}
    closings = [by_place[seat, "closing"] for seat in ("proposition", "opposition")]
    for request in closings:
        motion, opening, rebuttal = texts(request)
        assert motion.endswith("weighing what matters most. Style counts for nothing.\n")
        assert opening == texts(by_place["opposition", "rebuttal"])[-1]
        assert rebuttal.count("a speech") == 240
        assert "You are the" not in rebuttal
    # The first one writes for the second one; nobody reads after that.
    assert [[each.readers for each in request.shared] for request in closings] == [[1] * 3, [0] * 3]
    order = [word for word, _ in model.events]
    assert order == ["begins", "ends"] * 6


@pytest.mark.slow
def test_a_model_that_speaks_for_one_side_writes_no_more_than_it_reads(tmp_path: Path) -> None:
    models = CachedModel("m/a"), CachedModel("m/b")
    lineup = {
        "proposition": Agent("a", models[0]),
        "opposition": Agent("b", models[1]),
    }
    play(tmp_path, Study("s", [Arm("d", debate, [lineup])], [Subject("A motion.")]))
    for model in models:
        counts = [[each.readers for each in request.shared] for request in model.requests]
        # The motion, then the openings; what the closing says of the rebuttals is read by nobody.
        assert counts == [[2], [1, 1], [0, 0]]


async def once(episode: Episode, question: Subject, solver: Seat) -> None:
    """Ask one question once."""
    await episode.ask(solver, [question.text, WORDS], phase="answer")


def plays_of(agents: int, repeats: int = 1) -> tuple[CachedModel, list[Play]]:
    model = CachedModel("m/a", r"\boxed{1}")
    samplings = [Sampling(max_tokens=n) for n in range(1, agents + 1)]
    lineups = [{"solver": Agent(f"a{s.max_tokens}", model, sampling=s)} for s in samplings]
    arm = Arm("q", once, lineups)
    questions = [Subject(f"Question {i}?", kind="question", gold="1") for i in range(4)]
    return model, plays(Study("s", [arm], questions, repeats))


def test_agents_of_one_model_share_a_prompt_across_episodes() -> None:
    _, todo = plays_of(agents=2)
    prefixes = asyncio.run(find_shared_prefixes(todo))
    assert len(prefixes) == 8
    assert {each.others["solver"] for each in prefixes.values()} == {1}


def test_plays_that_share_a_beginning_come_close_together_and_others_stay() -> None:
    _, todo = plays_of(agents=2, repeats=2)
    prefixes = asyncio.run(find_shared_prefixes(todo))
    ordered = order_by_readers(todo, prefixes, at_once=2)
    assert sorted(play.episode for play in ordered) == sorted(play.episode for play in todo)
    subjects = [play.subject.text for play in ordered]
    first, second = subjects[:8], subjects[8:]
    assert first == ["Question 0?", "Question 1?"] * 4
    assert second == ["Question 2?", "Question 3?"] * 4
    assert order_by_readers(todo, {}, at_once=2) == todo


def test_nothing_is_shared_where_no_model_has_a_cache_with_a_price() -> None:
    _, todo = plays_of(agents=2)
    free = CachedModel("m/b")
    free.prompt_cache = None  # type: ignore[assignment]
    todo = [replace(play, lineup={"solver": Agent("a", free)}) for play in todo]
    assert asyncio.run(find_shared_prefixes(todo)) == {}


@pytest.mark.slow
def test_a_beginning_that_is_too_short_for_the_cache_is_not_marked(tmp_path: Path) -> None:
    model = CachedModel("m/a")
    model.prompt_cache = PromptCache(100_000)
    lineup = {"proposition": Agent("a", model), "opposition": Agent("a", model)}
    play(tmp_path, Study("s", [Arm("d", debate, [lineup])], [Subject("A motion.")]))
    assert {request.shared for request in model.requests} == {()}


@pytest.mark.slow
def test_the_first_of_many_samples_goes_ahead_and_the_others_go_together(tmp_path: Path) -> None:
    model = CachedModel("m/a", r"\boxed{1}")
    arm = Arm("q", self_consistency, [{"solver": Agent("a", model)}], {"paths": 5})
    play(tmp_path, Study("s", [arm], [Subject("1 + 0? " + WORDS, kind="question", gold="1")]))
    assert [word for word, _ in model.events] == ["begins", "ends"] + ["begins"] * 4 + ["ends"] * 4
    assert [each.readers for request in model.requests for each in request.shared] == [
        4,
        3,
        2,
        1,
        0,
    ]
