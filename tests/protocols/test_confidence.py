"""Confidence elicitation: what each way of asking asks, what comes of several samples, and that
known solvers are found as they are.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from agents import agent
from agents.scripted import ScriptedModel, scripted_model
from agents.simulated.questions import simulated_questions
from agents.simulated.truth import expected_accuracy, expected_stated
from arena import Agent, Answer, Arena, Arm, Seat, Study, Subject
from arena.errors import StudyError
from arena.studies.study import plays
from arena.types import Reply, Request
from protocols import laws
from protocols.confidence import aggregate_samples, confidence_elicitation, options_for_calls

# Whole stores are played and reported here, which takes seconds.
pytestmark = pytest.mark.slow

QUESTION = Subject("What is 7 * 8 + 1?", "question", "57")
OPTIONS = Subject("Which is blue?", "question", "B", ("the sun", "the sky", "a leaf"))
BLACK_BOX = ("vanilla", "chain_of_thought", "multi_step", "top_k", "self_probing")


def solver(reply: Callable[[Request], str | Reply], *can: str) -> Agent:
    """An agent whose words are scripted."""
    made = scripted_model(reply)
    assert isinstance(made, ScriptedModel)
    return Agent(
        "scripted", ScriptedModel(made.name, made.reply, capabilities=made.capabilities | set(can))
    )


def play(path: Path, who: Agent, subjects: list[Subject], **options: object) -> Arena:
    arena = Arena(path / "a.duckdb")
    summary = arena.run(
        Study("s", [Arm("a", confidence_elicitation, [{"solver": who}], options)], subjects),
        watch=lambda tally: None,
    )
    assert summary.done == len(subjects), arena.sql("select error from episodes").rows
    return arena


def answers(arena: Arena) -> list[tuple[object, ...]]:
    return list(
        arena.sql(
            "select seat, answer, correct, round(confidence, 6), final from answers order by final,"
            " seat"
        ).rows
    )


@pytest.mark.parametrize(
    "options", [{}, {"strategy": "top_k"}, {"strategy": "self_probing", "samples": 2}]
)
def test_the_protocol_obeys_the_laws(options: dict[str, object]) -> None:
    laws.check(
        confidence_elicitation,
        {"solver": agent("sim/solver")},
        simulated_questions(1)[0],
        options=options,
    )


@pytest.mark.parametrize("strategy", BLACK_BOX)
def test_a_solver_of_known_accuracy_and_confidence_is_found_as_it_is(
    tmp_path: Path, strategy: str
) -> None:
    """300 questions: within four standard errors of the exact values."""
    profile, questions = (
        "solver:ability=0.5:bias=0.2:shared=0.0",
        list(simulated_questions(300, seed=11)),
    )
    arena = play(tmp_path, agent(f"sim/{profile}"), questions, strategy=strategy)
    correct, confidence = zip(
        *arena.sql("select correct::int, confidence from answers where final").rows, strict=True
    )
    for found, truth in (
        (correct, expected_accuracy(profile, questions)),
        (confidence, expected_stated(profile, questions)),
    ):
        assert None not in found
        assert abs(statistics.fmean(found) - truth) < 4 * statistics.stdev(found) / 300**0.5
    assert statistics.fmean(confidence) - statistics.fmean(correct) > 0.05


def test_the_product_of_steps_is_near_the_confidence_of_the_whole(tmp_path: Path) -> None:
    questions = list(simulated_questions(40))
    arena = play(
        tmp_path,
        agent("sim/solver:noise=0.0:bias=0.0"),
        questions,
        strategy="multi_step",
        step_score="product",
    )
    [(confidence, accuracy)] = arena.sql(
        "select avg(confidence), avg(correct::int) from answers"
    ).rows
    assert (
        abs(confidence - expected_stated("solver:noise=0.0:bias=0.0", questions))
        < 0.03 + 4 * 0.1 / 40**0.5
    )
    assert 0.2 < accuracy < 0.8


def test_each_way_asks_for_what_it_reads(tmp_path: Path) -> None:
    said = {
        "vanilla": "Answer: \\boxed{57}\nConfidence: 85%",
        "chain_of_thought": "56 and one more.\nAnswer: \\boxed{57}\nConfidence: 90%",
        "multi_step": "Confidence of step 1: 95%\nAnswer: \\boxed{57}\nOverall confidence: 80%",
        "top_k": "G1: 57\nP1: 0.7\nG2: 56\nP2: 0.2",
    }
    words = {
        "vanilla": "do not explain",
        "chain_of_thought": "step by step",
        "multi_step": "Confidence of step 1",
        "top_k": "G3: guess number 3",
    }
    for strategy, reply in said.items():
        asked: list[Request] = []
        who = solver(lambda request, reply=reply, asked=asked: asked.append(request) or reply)
        (tmp_path / strategy).mkdir()
        arena = play(tmp_path / strategy, who, [QUESTION], strategy=strategy, k=3)
        confidence = {"vanilla": 0.85, "chain_of_thought": 0.9, "multi_step": 0.8, "top_k": 0.7}[
            strategy
        ]
        assert answers(arena) == [("solver", "57", True, confidence, True)]
        assert len(asked) == 1
        assert words[strategy] in asked[0].messages[-1].content
        assert "G4" not in asked[0].messages[-1].content


def test_options_are_shown_and_answered_by_letter(tmp_path: Path) -> None:
    asked: list[str] = []
    for strategy, reply in (
        ("vanilla", "\\boxed{B}\nConfidence: 60%"),
        ("top_k", "G1: B\nP1: 0.6"),
    ):
        who = solver(
            lambda request, reply=reply: asked.append(request.messages[-1].content) or reply
        )
        (tmp_path / strategy).mkdir()
        assert answers(play(tmp_path / strategy, who, [OPTIONS], strategy=strategy)) == [
            ("solver", "B", True, 0.6, True)
        ]
    assert all("B) the sky" in words and "letter" in words for words in asked)


def test_the_second_session_sees_question_and_answer_and_nothing_else(tmp_path: Path) -> None:
    asked: list[Request] = []

    def reply(request: Request) -> str:
        asked.append(request)
        return (
            "Confidence: 30%"
            if request.place.seat == "probe"
            else "My secret reasoning. \\boxed{57}"
        )

    assert answers(play(tmp_path, solver(reply), [QUESTION], strategy="self_probing")) == [
        ("solver", "57", True, 0.3, True)
    ]
    [_, probe] = asked
    assert QUESTION.text in probe.messages[-1].content
    assert "\\boxed{57}" in probe.messages[-1].content
    assert "secret" not in "".join(message.content for message in probe.messages)


def test_without_an_answer_there_is_nothing_to_probe(tmp_path: Path) -> None:
    arena = play(
        tmp_path, solver(lambda request: "I do not know."), [QUESTION], strategy="self_probing"
    )
    assert answers(arena) == [("solver", None, None, None, True)]
    assert arena.sql("select count(*) from turns").rows == ((1,),)


def test_what_cannot_be_read_is_asked_once_more_and_then_missing_with_its_reason(
    tmp_path: Path,
) -> None:
    arena = play(
        tmp_path, solver(lambda request: "Answer: \\boxed{57}\nConfidence: 0.9"), [QUESTION]
    )
    assert answers(arena) == [("solver", "57", True, None, True)]
    assert arena.sql("select asks, confidence_status from turns").rows == ((2, "ambiguous scale"),)


def test_several_samples_have_their_own_confidences_and_are_made_one(tmp_path: Path) -> None:
    said = {"path0": ("57", 20), "path1": ("56", 90), "path2": ("57", 40)}

    def reply(request: Request) -> str:
        answer, confidence = said[request.place.seat]
        return f"\\boxed{{{answer}}}\nConfidence: {confidence}%"

    for aggregation, last in (
        ("consistency", ("57", True, 0.666667)),
        ("average_confidence", ("56", False, 0.6)),
    ):
        (tmp_path / aggregation).mkdir()
        arena = play(
            tmp_path / aggregation,
            solver(reply),
            [QUESTION],
            samples=3,
            aggregation=aggregation,
            temperature=0.7,
        )
        paths = [
            (seat, answer, answer == "57", confidence / 100, False)
            for seat, (answer, confidence) in said.items()
        ]
        assert answers(arena) == [*paths, ("solver", *last, True)]


def sample(answer: str | None, confidence: float | None) -> Answer:
    return Answer("path", answer, confidence=confidence, final=False)


@pytest.mark.parametrize(
    ("said", "consistency", "average"),
    [
        ([("57", 0.9), ("57.0", 0.5), ("56", 0.6)], ("57", 2 / 3), ("57", 0.7)),
        ([("56", 0.5), ("57", 0.5)], ("56", 0.5), ("56", 0.5)),
        ([("57", None), ("56", 0.4)], ("57", 0.5), ("56", 1.0)),
        ([(None, 0.5), ("57", 0.5), ("57", None), ("56", 0.25)], ("57", 0.5), ("57", 0.4)),
        ([("57", 0.0), ("57", 0.0)], ("57", 1.0), ("57", None)),
        ([("57", None), ("56", None), ("56", None)], ("56", 2 / 3), ("56", None)),
        ([(None, 0.7), (None, None)], (None, None), (None, None)),
    ],
)
def test_samples_are_made_one_as_the_tables_say(
    said: list[tuple[str | None, float | None]],
    consistency: tuple[str | None, float | None],
    average: tuple[str | None, float | None],
) -> None:
    """By hand: counts over all samples, and sums of confidence over the sum of all."""
    seat, samples = Seat("solver", agent("sim/solver")), [sample(*one) for one in said]
    for aggregation, (answer, confidence) in (
        ("consistency", consistency),
        ("average_confidence", average),
    ):
        found = aggregate_samples(samples, QUESTION, seat, aggregation)  # type: ignore[arg-type]
        assert (found.seat, found.answer, found.final) == ("solver", answer, True)
        assert found.confidence == (None if confidence is None else pytest.approx(confidence))


def test_p_true_is_the_probability_that_the_model_gives_to_true(tmp_path: Path) -> None:
    asked: list[Request] = []

    def reply(request: Request) -> Reply:
        asked.append(request)
        if request.place.seat == "solver":
            return Reply("So \\boxed{57}")
        return Reply(
            "False",
            measures={
                "probability of True": 0.35,
                "probability of False": 0.65,
                "logprob of True": -2.0,
            },
        )

    arena = play(tmp_path, solver(reply, "choices"), [QUESTION], strategy="p_true")
    assert answers(arena) == [("solver", "57", True, 0.35, True)]
    assert asked[-1].sampling.choices == ("True", "False")
    assert arena.sql("select answer, confidence from turns where seat = 'probe'").rows == (
        ("False", None),
    )


def test_sequence_probability_is_that_of_the_whole_reply_or_missing(tmp_path: Path) -> None:
    for name, measures, confidence in (
        ("a", {"logprob_sum": -0.5, "logprob_mean": -0.1}, round(math.exp(-0.5), 6)),
        ("b", None, None),
    ):
        (tmp_path / name).mkdir()
        who = solver(
            lambda request, measures=measures: Reply("\\boxed{57}", measures=measures), "measures"
        )
        arena = play(tmp_path / name, who, [QUESTION], strategy="sequence_probability")
        assert answers(arena) == [("solver", "57", True, confidence, True)]


@pytest.mark.parametrize(
    ("strategy", "ability"), [("p_true", "choices"), ("sequence_probability", "measures")]
)
def test_a_model_without_token_probabilities_is_told_so_in_one_sentence(
    tmp_path: Path, strategy: str, ability: str
) -> None:
    arena = Arena(tmp_path / "a.duckdb")
    who = solver(lambda request: "\\boxed{57}")
    arm = Arm("a", confidence_elicitation, [{"solver": who}], {"strategy": strategy})
    assert arena.run(Study("s", [arm], [QUESTION]), watch=lambda tally: None).failed == 1
    [(kind, error)] = arena.sql("select error_kind, error from episodes").rows
    assert kind == "ProtocolError"
    assert (
        f"{strategy} needs a model with '{ability}', which {who.model.name} has not; take a local"
        in error
    )
    assert arena.sql("select count(*) from calls").rows == ((0,),)


@pytest.mark.parametrize(
    "options",
    [{"samples": 0}, {"k": 10}, {"strategy": "hope"}, {"temperature": -1}, {"aggregation": "mean"}],
)
def test_options_out_of_range_are_refused_before_anything_is_asked(
    options: dict[str, object],
) -> None:
    with pytest.raises(StudyError, match=next(iter(options))):
        plays(
            Study(
                "s",
                [Arm("a", confidence_elicitation, [{"solver": agent("sim/solver")}], options)],
                [QUESTION],
            )
        )


def test_a_budget_of_calls_is_so_many_samples() -> None:
    assert options_for_calls(5) == {"samples": 5}
    with pytest.raises(StudyError):
        options_for_calls(0)
