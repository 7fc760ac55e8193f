"""Answers read out of replies: the last statement counts, prose decides nothing, and hostile text
costs little.
"""

from __future__ import annotations

import time
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.types import Reading
from protocols.parsing.answers import answer, choice, extract_boxed, final_number


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r"So \boxed{113}. A peer is right: \boxed{204}.", "204"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\frac{1}{2}}, that is \fbox{0.5}", "0.5"),
        (r"\boxed {9}", "9"),
        (r"\\boxed{7}", "7"),
        (r"x\\\boxed{8}", "8"),
        (r"\boxed{\boxed{5}}", "5"),
        (r"\boxed{\{1,2\}}", r"\{1,2\}"),
        (r"\boxed{\left\{1\right.}", r"\left\{1\right."),
        (r"{ \boxed{5} } }", "5"),
        (r"\boxed{5} as asked, in \boxed{}", "5"),
        (r"\boxed{204", "204"),
        (r"\boxed{204.", "204"),
        ("$\\boxed{204$.\n\nSo {this} is it", "204"),
        ("\\boxed{\n204", "204"),
        (r"\boxed{113} or \boxed{\text{204", r"\text{204"),
        (r"\boxed{1 is open and \boxed{2} is not", "2"),
        (r"\boxed{ }", None),
        (r"\boxed{", None),
        (r"\boxed 5 unboxed{6}", None),
        ("204", None),
    ],
)
def test_the_last_box_that_holds_anything_is_the_answer(text: str, content: str | None) -> None:
    assert extract_boxed(text) == content


@given(st.text(alphabet="{}\\ab 1", max_size=12), st.text(max_size=20))
def test_whatever_stands_in_a_closed_box_is_read_as_it_is(inside: str, before: str) -> None:
    inside = inside.replace("\\", "").strip()
    depths = [inside[:n].count("{") - inside[:n].count("}") for n in range(len(inside) + 1)]
    if inside and min(depths) == depths[-1] == 0:
        assert extract_boxed(before.replace("\\", "") + rf" \boxed{{{inside}}} and so on") == inside


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{B}",
        r"\boxed{b}",
        r"\boxed{\text{B}}",
        r"\boxed{\textbf{(B)}\ 42}",
        r"\boxed{B. gold}",
        r"\boxed{B",
        "Answer: (B)",
        "ANSWER: B",
        '{"ANSWER": "B"}',
        "'answer': 'B'",
        "**Answer:** B",
        "**Answer: B**",
        "Answer: b",
        "Answer: B - gold",
        "Answer: B; A is wrong",
        "Answer:\n\n**B) 42 apples**",
        "Final answer: option B",
        "<answer>B</answer>",
        "The answer is B.",
        "The answer is B",
        "The answer is **B**, not A",
        r"The answer is \(B\)",
        r"The answer is $\mathrm{B}$.",
        "the answer is option B because A is not",
        "The correct option is **(B)**.",
        "**B**",
        "I take **(B)** now.",
        "I think that\nB",
        "I think that\n(B).\n",
        "The answer is A. No: the answer is B.",
        r"\boxed{A} was wrong. The answer is B.",
        r"The answer is A. No: \boxed{B}",
        "**A** is wrong, **C** is wrong. Answer: B",
        "A cat sat. Answer: B",
    ],
)
def test_the_letter_that_is_stated_last_is_chosen(text: str) -> None:
    assert choice(text, "ABCD") == "B"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A cat",
        "A cat sat on option mats.",
        "The answer is a cat",
        "The answer is A cat",
        "So the answer is a",
        "Answer: A cat",
        "Answer: AB",
        "Answer: E",
        "The answer is not A.",
        "The answer is A or B",
        "The answer is A and B.",
        "Answer: A, B",
        "Answer: A/B",
        "Answer: (A) or (B)",
        r"\boxed{A, B}",
        r"\boxed{\text{A or B}}",
        r"\boxed{A + B}",
        r"\boxed{a^2}",
        r"\boxed{42}",
        "The answer is B. Or is it? Answer: A, B",
        "**A** is warm and **B** is cold",
        "I take (A) now",
        "A)\nwarm\nB)\ncold",
    ],
)
def test_prose_and_two_letters_choose_nothing(text: str) -> None:
    assert choice(text, "ABCD") is None


def test_only_the_letters_of_the_question_are_chosen() -> None:
    assert choice("Answer: E", "ABCDE") == "E"
    assert choice("Answer: C", "AB") is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("She has 3 + 15 = 18 left.", "18"),
        ("It costs $1,234.50.", "1234.50"),
        ("1,234,567 in v1.2.3", "1234567"),
        ("2{,}304", "2304"),
        ("that is -$5", "-5"),
        ("that is $-5.", "-5"),
        ("(−7)", "-7"),
        ("5-3", "3"),
        ("1/2", "1/2"),
        ("3, 4", "4"),
        ("3,4", "4"),
        ("x2 and .50", ".50"),
        ("18kg", "18"),
        ("x2", None),
        ("no number", None),
    ],
)
def test_the_last_number_is_read_where_it_is_asked_for(text: str, number: str | None) -> None:
    assert final_number(text) == number


def test_a_reading_holds_the_whole_reply_and_its_answer() -> None:
    assert answer(r"So \boxed{5}.") == Reading(r"So \boxed{5}.", answer="5")
    assert answer("So 5.") == Reading("So 5.", flags=("no box",))
    assert answer("So 5.", last_number=True) == Reading("So 5.", answer="5")
    assert answer(r"\boxed{4}, not 5", last_number=True).answer == "4"
    assert answer("So.", last_number=True).flags == ("no number",)
    assert answer(" ") == Reading(None, flags=("no box",))
    assert partial(answer, letters="AB")("Answer: B").answer == "B"
    assert answer("Answer: 5", letters="AB", last_number=True).flags == ("no letter",)
    assert answer(rf"\boxed{{{'1' * 1001}}}").flags == ("answer too long",)
    assert answer(rf"\boxed{{{'1' * 1000}}}").flags == ()


def test_only_an_unreadable_answer_is_asked_for_again() -> None:
    assert answer("So 5.", reask="Which?").reask == "Which?"
    assert answer(r"\boxed{5}", reask="Which?").reask is None


HOSTILE = [
    r"\boxed{" * 140_000,
    r"\boxed{" * 70_000 + "}" * 70_000,
    r"\boxed{}" * 120_000,
    r"\boxed{" + " " * 10**6,
    "{" * 10**6,
    "\\" * 10**6,
    "\n" * 10**6,
    "\nA " * 300_000,
    "answer is " * 100_000,
    "answer: (" * 100_000,
    "answer: " + "\\text{" * 160_000,
    "**A**" * 200_000,
    "1," * 500_000,
    "-" * 10**6,
]


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_megabyte_of_hostile_text_is_read_in_seconds(text: str) -> None:
    began = time.process_time()  # not the clock of a busy machine
    extract_boxed(text), choice(text, "ABCD"), final_number(text)
    assert time.process_time() - began < 10


@settings(max_examples=300)
@given(st.text(alphabet="\\boxed{}ABanswer is:*()\n ", max_size=40))
def test_any_text_is_read_without_fail(text: str) -> None:
    assert choice(text, "AB") in ("A", "B", None)
    assert extract_boxed(text) != ""


@pytest.mark.parametrize(
    ("said", "found"),
    [("\\boxed{Mercury}", "Mercury"), ("\\boxed{4}", "4"), ("\\boxed{D}", None), ("Mercury", None)],
)
def test_the_text_of_an_option_in_the_box_is_an_answer_and_a_letter_that_there_is_not_is_none(
    said: str, found: str | None
) -> None:
    assert answer(said, letters="ABC").answer == found
