"""Self-ensembling: what differs between voters, the three combinations by hand, a planted truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agents import agent
from agents.scripted import scripted_model
from agents.simulated.questions import simulated_questions
from agents.simulated.truth import expected_majority
from arena import Arena, Arm, Study
from arena.play.memory import MemoryJournal
from arena.types import Agent, Reply, Request, Subject
from protocols import laws
from protocols.self_ensembling import Combine, combine_shares, examples_of, self_ensembling
from tests.question_agents import CHOICE, QUESTION, agent_with_capabilities

EXAMPLES = [[f"Is {number} even?\nA) yes\nB) no\n", "AB"[number % 2]] for number in range(12)]
VOTERS = [{"A": 0.6, "B": 0.4}, {"A": 0.55, "B": 0.45}, {"A": 0.1, "B": 0.9}]


def play(
    who: Agent, question: Subject, options: Mapping[str, object]
) -> tuple[list[str], list[Mapping[str, Any]]]:
    """The prompts of the voters in order, and the answers, of one play in memory."""
    journal = MemoryJournal()
    case = laws.Case(self_ensembling, {"solver": who}, question, options)
    requests, _ = case.play("voters", laws.answer_at_once, journal)
    prompts = {each.place.seat: each.messages[-1].content for each in requests}
    return [prompts[seat] for seat in sorted(prompts)], list(journal.rows("answers"))


def scores(*shares: dict[str, float]) -> Agent:
    """A model that gives each voter these probabilities."""

    def say(request: Request) -> Reply:
        own = shares[int(request.place.seat.removeprefix("voter")) % len(shares)]
        measures = {f"probability of {label}": share for label, share in own.items()}
        return Reply(max(own, key=lambda label: own[label]), measures=measures)

    return agent_with_capabilities(say, "choices")


@pytest.mark.parametrize(
    ("combine", "label", "confidence"),
    [
        ("max_vote", "A", (0.6 + 0.55) / 2),
        ("mean_prob", "B", (0.4 + 0.45 + 0.9) / 3),
        ("max_prob", "B", 0.9 / (0.9 + 0.6)),
    ],
)
def test_labels_are_combined_in_three_ways_by_hand(
    combine: Combine, label: str, confidence: float
) -> None:
    found = combine_shares(VOTERS, combine)
    assert found[0] == label
    assert found[1] == pytest.approx(confidence)


def test_ties_go_to_the_first_label_and_nobody_gives_none() -> None:
    assert combine_shares([{"A": 0.5, "B": 0.5}], "max_vote") == ("A", 0.5)
    assert combine_shares([], "mean_prob") == (None, None)


def test_voters_and_their_combination_are_answers_with_probabilities() -> None:
    options: dict[str, object] = {"variations": 3, "combine": "mean_prob"}
    shares = [{**each, "C": 0.0} for each in VOTERS]
    _, answers = play(scores(*shares), CHOICE, options)
    found = [(row["answer"], row["confidence"], row["final"]) for row in answers]
    assert found == [
        ("B", pytest.approx(1.75 / 3), True),
        ("A", 0.6, False),
        ("A", 0.55, False),
        ("B", 0.9, False),
    ]
    assert {row["confidence_source"] for row in answers} == {"probability"}


def test_what_is_varied_and_nothing_else_differs_between_voters() -> None:
    who = scores({"A": 0.5, "B": 0.3, "C": 0.2})
    shown = {
        vary: play(who, CHOICE, {"vary": vary, "examples": EXAMPLES, "shots": 3})[0]
        for vary in ("examples", "templates", "both")
    }
    assert all(len(set(prompts)) == 5 for prompts in shown.values())
    assert {prompts[0] for prompts in shown.values()} == {shown["both"][0]}
    for prompt in shown["examples"]:
        assert prompt.count("Question: Is ") == 3
    heads = [
        {line for line in prompt.split("\n") if "Is " in line} for prompt in shown["templates"]
    ]
    numbers = [{line.partition("Is ")[2] for line in lines} for lines in heads]
    assert numbers.count(numbers[0]) == 5


def test_an_example_about_the_question_itself_is_never_shown() -> None:
    who = scores({"A": 0.5, "B": 0.3, "C": 0.2})
    leak = [CHOICE.text.upper(), "B"]
    prompts, _ = play(who, CHOICE, {"examples": [leak, EXAMPLES[0]], "shots": 4})
    assert all(CHOICE.text.upper() not in prompt for prompt in prompts)
    assert all("Is 0 even?" in prompt for prompt in prompts)
    assert examples_of([CHOICE]) == [
        ("Which is even?\n\nOptions:\nA) three\nB) four\nC) five\n", "B")
    ]


def test_what_it_cannot_do_is_said_in_one_sentence() -> None:
    plain = Agent("s", scripted_model(lambda request: "A"))
    for who, question, options, words in (
        (plain, CHOICE, {}, "needs a model with 'choices'"),
        (scores(VOTERS[0]), QUESTION, {}, "give questions with choices, or readout='sampling'"),
        (scores(VOTERS[0]), CHOICE, {"vary": "examples"}, "was given none"),
    ):
        with pytest.raises(laws.BrokenLawError, match=words):
            play(who, question, options)


def test_sampled_labels_are_shares_of_all_draws() -> None:
    def say(request: Request) -> str:
        seat = request.place.seat
        return "I cannot tell." if seat.endswith("_3") else f"\\boxed{{{4 if '_' in seat else 5}}}"

    options: dict[str, object] = {"readout": "sampling", "draws": 4, "variations": 2}
    _, answers = play(Agent("s", scripted_model(say)), QUESTION, options)
    # Of four draws two say 4, one 5 and one nothing.
    assert [(row["answer"], row["confidence"]) for row in answers] == [("4", 0.5)] * 3
    assert {row["confidence_source"] for row in answers} == {"vote share"}


@pytest.mark.parametrize("readout", ["choices", "sampling"])
def test_self_ensembling_obeys_the_laws(readout: str) -> None:
    who = scores({"A": 0.5, "B": 0.3, "C": 0.2})
    question = CHOICE
    if readout == "sampling":
        who, question = agent("sim/solver"), simulated_questions(1)[0]
    options = {"readout": readout, "variations": 2, "draws": 2}
    laws.check(self_ensembling, {"solver": who}, question, options=options)


@pytest.mark.slow
def test_the_mean_of_sampled_shares_is_the_planted_majority(tmp_path: Any) -> None:
    """As many draws a voter: their mean is the majority of all of them, whose truth is known."""
    profile = "solver:shared=0.0:ability=0.3"
    questions = simulated_questions(150, seed=5)
    options = {"readout": "sampling", "draws": 4, "variations": 3}
    arm = Arm("a", self_ensembling, [{"solver": agent(f"sim/{profile}")}], options)
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(Study("s", [arm], questions)).done == 150
    [(right,)] = arena.sql("select avg(correct::int) from answers where final").rows
    truth = expected_majority(profile, questions, 12)
    assert abs(right - truth) < 4 * 0.5 / 150**0.5


@pytest.mark.slow
def test_the_toy_scores_texts_of_options(tmp_path: Any) -> None:
    pytest.importorskip("torch")
    choices = ("\\boxed{110}", "\\boxed{120}")
    question = Subject("What is 37+48+25?", "question", "A", choices)
    arm = Arm("a", self_ensembling, [{"solver": agent("toy/sum")}], {"labels": "texts"})
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(Study("s", [arm], [question])).done == 1
    shares = [
        row[0]
        for row in arena.sql(
            "select value from measures where name = 'probability of \\boxed{110}' order by seat"
        ).rows
    ]
    [(answer, confidence)] = arena.sql("select answer, confidence from answers where final").rows
    mean = sum(shares) / 5
    assert confidence == pytest.approx(max(mean, 1 - mean), abs=1e-6)
    assert answer == ("A" if mean >= 0.5 else "B")
