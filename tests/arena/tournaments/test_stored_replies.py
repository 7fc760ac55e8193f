"""Stored replies as something to score: which turn holds an answer, and what it was asked."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import duckdb
import pytest

import agents
from agents.simulated.questions import simulated_questions
from arena import Agent, Arena, Arm, Seat, Study
from arena.errors import LeakError, StudyError
from arena.play.episode import request_content, request_hash
from arena.play.prompt import build_prompt, verbatim
from arena.studies.motions import MOTIONS
from arena.tournaments import stored_replies
from arena.tournaments.stored_replies import stored_samples
from arena.types import Alternative, Place, Reply, Request, TokenChoice
from protocols import named
from protocols.estimators.token_numbers import numbers_of
from tests import fake_agents

SOLVER = agents.agent("sim/solver")
DEBATER = agents.agent("sim/overconfident")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with twelve paths and a rated answer to each of three questions, and a debate."""
    path = tmp_path_factory.mktemp("replies") / "a.duckdb"
    lineups = [{"solver": SOLVER}]
    arms = [
        Arm("paths", named("self_consistency"), lineups, {"paths": 12}),
        Arm("rated", named("confidence_elicitation"), lineups),
    ]
    Arena(path).run(Study("questions", arms, simulated_questions(3), repeats=2))
    sides = {"proposition": DEBATER, "opposition": DEBATER}
    Arena(path).run(Study("debate", [Arm("debate", named("debate"), [sides])], MOTIONS[:1]))
    return path


def test_replies_of_an_agent_to_a_question_are_in_order_of_repeats_and_seats(path: Path) -> None:
    samples = stored_samples(path, "questions")
    assert [(each.arm, len(each.replies)) for each in samples] == [("paths", 24)] * 3 + [
        ("rated", 2)
    ] * 3
    seats = [reply.turn.seat for reply in samples[0].replies]
    assert seats == [f"path{number}" for number in range(12)] * 2
    assert [turn.seat for turn in samples[0].turns[10:13]] == ["path10", "path11", "path0"]
    assert all(each.question.gold is None and not each.question.accepted for each in samples)


def test_a_reply_has_the_value_and_the_rating_of_its_answer(path: Path) -> None:
    rows = Arena(path).sql(
        "select a.episode, a.seat, a.canonical, a.confidence from answers a"
        " join turns t using (episode, seat)"
    )
    stored = {(episode, seat): (value, number) for episode, seat, value, number in rows.rows}
    found = {
        (reply.turn.episode, reply.turn.seat): (reply.canonical, reply.confidence)
        for each in stored_samples(path, "questions")
        for reply in each.replies
    }
    assert found == stored
    assert {number is not None for _, number in found.values()} == {True, False}


def test_rated_speeches_are_the_replies_of_a_debate(path: Path) -> None:
    samples = stored_samples(path, "debate")
    told = [(s.question.text, [r.turn.phase for r in s.replies], s.model) for s in samples]
    phases = ["opening", "rebuttal", "closing"]
    assert told == [(MOTIONS[0].text, phases, "sim/overconfident")] * 2
    assert {reply.canonical for each in samples for reply in each.replies} == {None}


@pytest.mark.parametrize("study", ["questions", "debate"])
def test_messages_are_those_that_were_sent(path: Path, study: str) -> None:
    rows = Arena(path).sql("select episode, seat, step, request_hash, seed from turns").rows
    stored = {row[:3]: row[3:] for row in rows}
    for each in stored_samples(path, study):
        for reply in each.replies:
            turn = reply.turn
            digest, seed = stored[turn.episode, turn.seat, turn.step]
            place = Place(turn.episode, turn.seat, turn.step, 0, turn.phase, turn.round)
            request = Request(reply.messages, SOLVER.sampling, seed, place)
            assert request_hash(request, request_content(request)) == digest


def test_few_replies_are_in_memory_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_replies, "REPLIES_AT_ONCE", 1)
    samples = stored_samples(path, "questions")
    shelf = samples[0].replies._shelf  # type: ignore[attr-defined]  # no part of the sequence
    once = [[reply.turn for reply in each.replies] for each in samples]
    assert len(shelf._in_memory) == 2
    assert [[reply.turn for reply in each.replies] for each in samples] == once


def test_the_same_replies_are_the_same_subject_and_others_are_not(path: Path) -> None:
    first, again = (stored_samples(path, "questions") for _ in range(2))
    assert [each.content() for each in first] == [each.content() for each in again]
    assert len({each.text for each in first}) == len(first)


def test_raw_words_are_read_by_the_model_that_wrote_them_alone(path: Path) -> None:
    samples = stored_samples(path, "debate")[0]
    turn = samples.replies[0].turn
    for model, agent in ((DEBATER.model, Agent("again", DEBATER.model)), (SOLVER.model, SOLVER)):
        scorer, also = Seat("scorer", agent), samples.voices_of(model.name)
        if agent is SOLVER:
            with pytest.raises(LeakError, match="the private face"):
                build_prompt("?", scorer, "scoring", verbatim(turn), also)
        else:
            built = build_prompt("?", scorer, "scoring", verbatim(turn), also)
            assert turn.text == built.messages[-1].content


def test_a_reply_with_a_token_of_no_finite_probability_alone_has_no_log_probabilities(
    tmp_path: Path,
) -> None:
    numbers = [-math.inf, math.nan, -0.5, -1.5]
    others = (Alternative("8", -math.inf), Alternative("9", -2.0))

    def odd(request: Request) -> Reply:
        place = request.place.seat.removeprefix("path")
        number = numbers[int(place)] if place.isdecimal() else -1.0
        return Reply("\\boxed{7}", logprobs=(TokenChoice("\\boxed{7}", number, others),))

    solver = {"solver": fake_agents.agent("S", odd)}
    arm = Arm("odd", named("self_consistency"), [solver], {"paths": len(numbers)})
    study = Study("odd", [arm], simulated_questions(1))
    Arena(tmp_path / "a.duckdb").run(study)
    (samples,) = stored_samples(tmp_path / "a.duckdb", "odd")
    found = [reply.logprobs for reply in samples.replies if reply.turn.seat.startswith("path")]
    assert [each and each[0].logprob for each in found] == [None, None, -0.5, -1.5]
    assert found[2] is not None
    assert found[2][0].alternatives == others[1:]
    for reply in samples.replies:
        why = numbers_of(reply)["logprob_sum"].status
        assert ("not all are finite" in why) == (reply.logprobs is None)


def test_a_study_without_replies_is_named_with_those_that_the_store_has(path: Path) -> None:
    with pytest.raises(StudyError, match=r"study 'nothing' .* its studies: questions, debate"):
        stored_samples(path, "nothing")


def test_a_store_whose_views_are_older_is_read_alike(path: Path, tmp_path: Path) -> None:
    """0.1.0 had fewer views: what is read comes by the views of today, and none is forgotten."""
    older = tmp_path / "older.duckdb"
    shutil.copy(path, older)
    with duckdb.connect(older) as con:
        views = con.execute("select view_name from duckdb_views() where not internal").fetchall()
        drops = "".join(f"drop view {view};" for (view,) in views)
        con.execute(f"{drops} update store_info set views = 'of another version'")
    found = [[each.text for each in stored_samples(file, "questions")] for file in (path, older)]
    assert found[0] == found[1]
