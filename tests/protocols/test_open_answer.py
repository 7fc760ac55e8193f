"""Open tasks at equal calls, and the blind jury that compares their texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import agent
from agents.scripted import scripted_model
from agents.simulated.author_truth import expected_preference
from analysis.reports.report import debate_report
from arena import Arena, Arm, Study, run_stages
from arena.errors import StudyError
from arena.play.memory import MemoryJournal
from arena.tournaments.stored_replies import stored_finals
from arena.types import Agent, Reply, Request, Subject
from protocols import laws
from protocols.blind_jury import blind_jury, jury_of_texts
from protocols.open_answer import Way, open_answer
from protocols.self_preference import AnswerPair
from tests.in_memory import rows_of_play
from tests.protocols.test_critique import REPLIES, SAMPLES
from tests.question_agents import Script, agent_with_capabilities

TASK = Subject("Write a line about rain.", "question")
WAYS: list[Way] = ["sample", "aggregation", "universal", "refine", "certain"]


def poet(seen: list[Request]) -> Script:
    """Who writes a line that names its seat, picks the second reply, and is never content."""

    def script(request: Request) -> str | Reply:
        seen.append(request)
        place = request.place
        if place.phase == "pick":
            return "The most consistent is Response 1"
        if place.phase == "feedback":
            return "More rain.\nVerdict: wrong"
        sure = 0.0 if place.seat == "path2" else -1.0
        text = f"Rain of {place.seat}, {place.phase}."
        return Reply(text, finish_reason="stop", measures={"self_certainty_mean": sure})

    return script


def play(way: Way, calls: int = 5) -> tuple[list[Request], MemoryJournal]:
    """The requests and the rows of one play."""
    seen: list[Request] = []
    one = agent_with_capabilities(poet(seen), "measures")
    return seen, rows_of_play(open_answer, one, {"way": way, "calls": calls}, TASK)


@pytest.mark.parametrize(
    ("way", "seat", "calls"),
    [
        ("sample", "solver", 1),
        ("aggregation", "solver", 5),
        ("universal", "path1", 5),
        ("refine", "solver", 5),
        ("certain", "path2", 5),
    ],
)
def test_each_way_names_the_seat_of_its_text_and_makes_as_many_calls(
    way: Way, seat: str, calls: int
) -> None:
    seen, rows = play(way)
    [answer] = rows.rows("answers")
    assert (answer["answer"], answer["final"], answer["correct"]) == (seat, True, None)
    assert len(seen) == calls
    # No task asks for a box, in whatever way.
    assert not any("boxed" in message.content for each in seen for message in each.messages)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("calls", [3, 4])
def test_no_more_calls_are_made_where_nothing_can_be_read(way: Way, calls: int) -> None:
    seen: list[Request] = []

    def script(request: Request) -> Reply:
        seen.append(request)
        measures = {"self_certainty_mean": 0.0}
        return Reply("I cannot tell.", finish_reason="stop", measures=measures)

    one = agent_with_capabilities(script, "measures")
    rows_of_play(open_answer, one, {"way": way, "calls": calls}, TASK)
    assert len(seen) <= calls


def test_too_few_calls_are_refused() -> None:
    with pytest.raises(AssertionError):
        play("universal", 2)


def texts(path: Path, number: int, ways: list[Way], author: str = "sim/author") -> Study:
    """A played study with an arm for each way."""
    lineup = [{"solver": agent(author)}]
    arms = [Arm(way, open_answer, lineup, {"way": way, "calls": 5}) for way in ways]
    tasks = [Subject(f"Simulated task {each}.", "question") for each in range(number)]
    study = Study("texts", arms, tasks)
    assert Arena(path).run(study).failed == 0
    return study


def test_the_final_texts_are_the_last_turns_of_the_seats_that_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    texts(path, 1, WAYS)
    found = {samples.arm: samples.replies[0].turn for samples in stored_finals(path, "texts")}
    assert found.keys() == set(WAYS)
    assert (found["refine"].phase, found["refine"].round) == ("refinement", 2)
    assert found["aggregation"].phase == "aggregation"
    assert found["universal"].phase == found["certain"].phase == "reply"


def test_a_jury_reads_each_two_arms_blind_in_both_orders(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    study = texts(path, 3, ["sample", "refine"])
    seen: list[str] = []

    def judge(request: Request) -> str:
        seen.append(request.messages[0].content)
        return "1"

    jury = jury_of_texts("jury", study, [Agent("j", scripted_model(judge))])
    assert jury.count_episodes(path) == 3
    assert all(summary.failed == 0 for summary in run_stages(Arena(path), [study, jury]))
    assert len(seen) == 6
    for words in seen:
        assert not any(name in words for name in ("sample", "refine", "sim/", "solver"))
    found = debate_report(path, "texts")
    [result] = found.results
    assert result.assessments is not None
    [row] = result.assessments.jury or ()
    # Who always names the first text prefers neither, and splits each time.
    assert (row.arm, row.against, row.tasks, row.judges) == ("sample", "refine", 3, 1)
    assert (row.preferred.mean, row.first, row.split) == (0.5, 1.0, 1.0)
    assert "Which text a jury" in str(found)
    other = tmp_path / "b.duckdb"
    texts(other, 1, ["sample"])
    with pytest.raises(StudyError, match="no two arms of texts have texts"):
        jury_of_texts("jury", "texts", [agent("sim/author")]).write(other)


@pytest.mark.slow
@pytest.mark.parametrize("aggregates", [1.0, -1.0])
def test_the_jury_finds_what_was_planted(tmp_path: Path, aggregates: float) -> None:
    """A new text after others wins where it is better than their mean, and loses where worse."""
    path, profile = tmp_path / "a.duckdb", f"author:aggregates={aggregates}:certain=0.9"
    study = texts(path, 60, ["sample", "aggregation", "certain"], f"sim/{profile}")
    judges = [agent(f"sim/author:seed={seed}:first={seed - 1}") for seed in (1, 2)]
    run_stages(Arena(path), [jury_of_texts("jury", study, judges)])
    [result] = debate_report(path, "texts").results
    assert result.assessments is not None
    rows = result.assessments.jury or ()
    assert len(rows) == 3
    for row in rows:
        planted = expected_preference(profile, row.arm, row.against, 5, [0.0, 1.0])
        assert row.preferred.mean == pytest.approx(planted, abs=4 * 0.3 / 60**0.5)
    [against] = [row for row in rows if (row.arm, row.against) == ("sample", "aggregation")]
    assert (against.preferred.mean < 0.5) == (aggregates > 0)


def test_open_answers_and_the_jury_obey_the_laws() -> None:
    def by_seed(request: Request) -> str:
        verdict = "right" if request.seed % 2 else "wrong"
        return f"Response {request.seed % 2}\nVerdict: {verdict}\n{1 + request.seed % 2}"

    one = Agent("s", scripted_model(by_seed))
    for way in ("sample", "aggregation", "universal", "refine"):
        laws.check(open_answer, {"solver": one}, TASK, options={"way": way, "calls": 3})
    turns = [reply.turn for reply in REPLIES[:2]]
    pair = AnswerPair("pair", "replies", question=TASK, samples=(SAMPLES, SAMPLES), turns=turns)
    laws.check(blind_jury, {"judge": one}, pair)
