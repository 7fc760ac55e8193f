"""Several samples: prompts that vary, misleading hints, and what is made of lists of guesses."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from agents import agent
from agents.scripted import scripted_model
from agents.simulated.questions import simulated_questions
from arena.play.memory import MemoryJournal
from arena.types import Agent, Answer, Request, Seat, Subject
from protocols import laws
from protocols.confidence import confidence_elicitation
from protocols.confidence_aggregation import aggregate_samples
from protocols.confidence_prompts import HINTS, VARIATIONS, draw_hints, random_answer
from protocols.parsing.confidence import Guess
from tests.question_agents import CHOICE, QUESTION, Script

Rows = list[Mapping[str, Any]]


def play(
    script: Script, question: Subject, options: dict[str, object]
) -> tuple[list[Request], Rows]:
    """The requests, by seat, and the answers of one play in memory."""
    journal = MemoryJournal()
    who = Agent("s", scripted_model(script))
    case = laws.Case(confidence_elicitation, {"solver": who}, question, options)
    requests, _ = case.play("samples", laws.answer_at_once, journal)
    return sorted(requests, key=lambda each: each.place.seat), list(journal.rows("answers"))


def words(request: Request) -> str:
    return request.messages[-1].content


def says(request: Request) -> str:
    return "\\boxed{4}\nConfidence: 80%"


@pytest.mark.parametrize(
    ("options", "question"),
    [
        ({"sampling_strategy": "misleading", "samples": 3}, CHOICE),
        (
            {"sampling_strategy": "misleading", "hints_around": "own answer", "samples": 3},
            simulated_questions(1)[0],
        ),
        (
            {"strategy": "top_k", "aggregation": "pair_rank", "samples": 3},
            simulated_questions(1)[0],
        ),
    ],
)
def test_every_sampling_obeys_the_laws(options: dict[str, object], question: Subject) -> None:
    who = agent("sim/solver")
    if question.choices:
        letters = "ABC"
        who = Agent(
            "s",
            scripted_model(
                lambda request: f"\\boxed{{{letters[request.seed % 3]}}}\nConfidence: 70%"
            ),
        )
    laws.check(confidence_elicitation, {"solver": who}, question, options=options)


def test_the_first_sample_has_no_hint_and_decides() -> None:
    def script(request: Request) -> str:
        return says(request) if request.place.seat == "path0" else "\\boxed{5}\nConfidence: 90%"

    requests, answers = play(script, QUESTION, {"sampling_strategy": "misleading", "samples": 4})
    plain, *hinted = requests
    assert "Hint" not in words(plain)
    assert all("Hint: " in words(request) for request in hinted)
    assert len({words(request) for request in hinted}) == 3
    # One of four says 4, and the three with hints say 5.
    assert (answers[-1]["answer"], answers[-1]["confidence"]) == ("4", 0.25)


def test_prompts_vary_by_one_sentence_and_the_first_is_the_plain_one() -> None:
    requests, _ = play(says, QUESTION, {"sampling_strategy": "prompt_variation", "samples": 6})
    [plain], _ = play(says, QUESTION, {})
    assert words(requests[0]) == words(requests[5]) == words(plain)
    assert len({words(request) for request in requests}) == len(VARIATIONS)


def test_random_answers_are_drawn_as_published() -> None:
    """Of 4: whole numbers from 0 to 8 alike often, the right one among them; of options any."""
    rng = random.Random(5)
    counts = Counter(random_answer(rng, QUESTION, "4") for _ in range(9000))
    assert set(counts) == set("012345678")
    assert all(abs(count - 1000) < 4 * 30 for count in counts.values())
    assert {random_answer(rng, CHOICE, None) for _ in range(100)} == set("ABC")
    assert {random_answer(rng, QUESTION, "2.5") for _ in range(100)} == {
        *("0.5", "1.5", "2.5", "3.5", "4.5")
    }


def test_no_hint_comes_twice_before_all_twelve_have_come() -> None:
    assert len(set(HINTS)) == 12
    hints = draw_hints(random.Random(1), CHOICE, 12, None)
    heads = {re.sub(r"\\boxed{.}", "{answer}", hint) for hint in hints}
    assert len(heads) == 12


def test_a_text_that_is_no_number_has_no_hints_and_says_so() -> None:
    question = Subject("Which city?", "question", "Paris")
    options: dict[str, object] = {"sampling_strategy": "misleading", "samples": 2}
    with pytest.raises(laws.BrokenLawError, match="hints_around='own answer', or another"):
        play(says, question, options)
    # Around its own answer, which is no number either, the second sample is not asked.
    requests, answers = play(
        lambda request: "\\boxed{Rome}\nConfidence: 80%",
        question,
        {**options, "hints_around": "own answer"},
    )
    assert len(requests) == 1
    assert [(row["answer"], row["confidence"]) for row in answers] == [
        ("Rome", 0.8),
        ("Rome", None),
    ]


LISTS = [
    [Guess("57", 0.6, "read"), Guess("56", 0.2, "read")],
    [Guess("56", 0.5, "read"), Guess("57.0", 0.4, "read"), Guess("58", 0.1, "read")],
    [Guess("57", 0.8, "read"), Guess("57", 0.1, "read")],
]


def test_lists_of_guesses_are_made_one_by_hand() -> None:
    """57: (0.6 + 0.4 + 0.8) / 3; above 56 in two lists, and both above 58 in all that tell."""
    seat = Seat("solver", agent("sim/solver"))
    question = Subject("?", "question", "57")
    said = [Answer(f"path{i}", ranked[0].answer) for i, ranked in enumerate(LISTS)]
    found = aggregate_samples(said, question, seat, "top_k_average", lists=LISTS)
    assert (found.answer, found.confidence_source) == ("57", "stated")
    assert found.confidence == pytest.approx(0.6)
    ranked = aggregate_samples(said, question, seat, "pair_rank", lists=LISTS)
    assert (ranked.answer, ranked.confidence_source) == ("57", "pair rank")
    assert 0.5 < (ranked.confidence or 0) < 1
    fixed = aggregate_samples(
        [said[1], said[0], said[2]], question, seat, "pair_rank", lists=LISTS, first_decides=True
    )
    assert fixed.answer == "56"
    assert (fixed.confidence or 0) < (ranked.confidence or 0)
    # No list can be read: the most frequent answer, without a number.
    none = aggregate_samples(said, question, seat, "pair_rank", lists=[(), ()])
    assert (none.answer, none.confidence) == ("57", None)


def test_pair_rank_reads_the_guesses_that_were_stored() -> None:
    def script(request: Request) -> str:
        first, second = ("4", "5") if request.place.seat != "path1" else ("5", "4")
        return f"G1: {first}\nP1: 0.6\nG2: {second}\nP2: 0.3"

    options: dict[str, object] = {"strategy": "top_k", "samples": 3}
    _, answers = play(script, QUESTION, {**options, "aggregation": "top_k_average"})
    # 4 is listed with 0.6, 0.3 and 0.6.
    assert (answers[-1]["answer"], answers[-1]["confidence"]) == ("4", pytest.approx(0.5))
    _, answers = play(script, QUESTION, {**options, "aggregation": "pair_rank"})
    assert answers[-1]["confidence"] == pytest.approx(2 / 3, abs=0.02)
    with pytest.raises(laws.BrokenLawError, match="take the strategy top_k"):
        play(script, QUESTION, {"samples": 3, "aggregation": "pair_rank"})
