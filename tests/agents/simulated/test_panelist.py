"""The simulated panelist does what its parameters say."""

from __future__ import annotations

import asyncio

import pytest

from agents import agent
from agents.simulated.panelist import PanelistProfile, in_parts, simulated_panelist
from agents.simulated.questions import mistakes_of, question_in, simulated_questions
from arena.errors import StudyError
from arena.types import Message, Place, Request, Sampling

[QUESTION] = simulated_questions(1)
ASKED = question_in(QUESTION.text)
assert ASKED is not None
RIGHT, WRONG = ASKED.right, mistakes_of(ASKED)[0]


def said(model: str, words: str, seed: int = 0, seat: str = "agent0") -> str:
    """The reply of a panelist to a question and these words."""
    request = Request(
        (Message("user", f"{QUESTION.text}\n{words}"),),
        Sampling(),
        seed,
        Place("e", seat, 0, 0, "p", 0),
    )
    return asyncio.run(agent(model).model(request)).text


def others(*answers: str) -> str:
    """What others say."""
    return "\n".join(f"#{n:08x} answers \\boxed{{{each}}}" for n, each in enumerate(answers))


PREFERENCE = "write `Preference: yes` or `Preference: no`"
BALLOT = f"These answers were given:\nA: {WRONG}\nB: {RIGHT}\n"


def test_a_moderator_prefers_what_all_say_and_else_decides_as_often_as_it_is_told() -> None:
    agreed = said("sim/panelist:decides=0", f"{others(WRONG, WRONG)}\n{PREFERENCE}")
    assert "Preference: yes" in agreed
    assert f"\\boxed{{{WRONG}}}" in agreed
    split = f"{others(WRONG, RIGHT)}\n{PREFERENCE}"
    decided = [
        "Preference: yes" in said("sim/panelist:decides=0.3", split, seed) for seed in range(300)
    ]
    assert sum(decided) / 300 == pytest.approx(0.3, abs=0.08)


def test_opposition_gives_another_answer_as_often_as_it_is_told() -> None:
    told = "{words}\noppose it at {level}"
    for level in (0, 4, 10):
        words = told.format(words=others(RIGHT), level=level)
        opposed = [
            "I disagree" in said("sim/panelist:ability=20", words, seed) for seed in range(200)
        ]
        assert sum(opposed) / 200 == pytest.approx(level / 10, abs=0.1)
    assert f"\\boxed{{{RIGHT}}}" not in said(
        "sim/panelist", told.format(words=others(RIGHT), level=10)
    )


@pytest.mark.parametrize(
    ("form", "ballot"),
    [
        ("Ballot: X", "Ballot: B"),
        ("Ballot: X, Y", "Ballot: B"),
        ("Ballot: X > Y > Z", "Ballot: B > A"),
        ("Ballot: X = N, Y = N", "Ballot: A = 0, B = 10"),
    ],
)
def test_an_able_panelist_is_for_the_right_answer_on_every_ballot(form: str, ballot: str) -> None:
    assert said("sim/panelist:ability=20", BALLOT + form).endswith(ballot)


def test_predictions_underestimate_the_right_answer_as_planted() -> None:
    form = f"{BALLOT}predict how many in a hundred\nBallot: X = N, Y = N"
    fair = said("sim/panelist:ability=20:underestimates=0", form)
    assert fair.endswith("Ballot: A = 0, B = 100")
    shy = said("sim/panelist:ability=0:distractors=1:underestimates=1", form)
    assert shy.endswith("Ballot: A = 100, B = 0")


def texts(first: str, second: str) -> str:
    """Two texts with these answers, under a code."""
    return (
        f"[0123abcd] Text 1\nIt is \\boxed{{{first}}}.\n[0123abcd] Text 2\nIt is"
        f" \\boxed{{{second}}}.\n[0123abcd] End of the texts.\nScore of text 1: N"
    )


def test_scores_follow_the_chances_and_the_place() -> None:
    fair = said("sim/panelist:ability=20", texts(WRONG, RIGHT))
    assert fair.endswith("Score of text 1: 1\nScore of text 2: 10")
    biased = said("sim/panelist:ability=20:first_points=4", texts(WRONG, RIGHT))
    assert biased.endswith("Score of text 1: 5\nScore of text 2: 10")
    better = said("sim/panelist:ability=20", f"{texts(WRONG, RIGHT)}\n`Better: 1`")
    assert better.endswith("Better: 2")


def test_it_describes_experts_and_else_answers_as_a_solver() -> None:
    assert "simulated expert" in said("sim/panelist", "Describe one of them")
    plain = said("sim/panelist:ability=20", "Answer it.")
    assert f"\\boxed{{{RIGHT}}}" in plain


def test_parts_add_up_and_parameters_are_bounded() -> None:
    assert in_parts({"A": 1, "B": 1, "C": 1}, 10) == "A = 4, B = 3, C = 3"
    assert in_parts({"A": 0.0, "B": 0.0}, 10) == "A = 5, B = 5"
    assert simulated_panelist("panelist").profile == PanelistProfile()
    with pytest.raises(StudyError, match="decides"):
        simulated_panelist("panelist:decides=2")
