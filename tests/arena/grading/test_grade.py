"""Grades: what is right, what is wrong, what cannot be told, and what hostile text must not do."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.errors import StudyError
from arena.grading import math_verify
from arena.grading.grade import Grade, canonical, grade, grade_async
from arena.types import Subject
from tests.publication import questions_folder


def question(gold: str | None, *choices: str) -> Subject:
    return Subject("Which?", "question", gold, choices)


def correct(gold: str, answer: str) -> bool | None:
    return grade(question(gold), answer).correct


@pytest.mark.parametrize("name", ["aime.json", "aime_2025.json", "aimo.json"])
def test_published_answers_are_right_in_a_box_and_perturbed_ones_are_not(name: str) -> None:
    for row in json.loads((questions_folder() / name).read_text()):
        gold = str(row["answer"])
        for right in (gold, rf"\boxed{{{gold}}}", f"${int(gold)}.0$", rf"m+n=\text{{0{gold}}}"):
            assert correct(gold, right) is True
            assert canonical(right) == str(int(gold))
        for wrong in (
            f"1{gold}",
            f"{gold}1",
            f"-{int(gold) + 1}",
            f"{gold}.5",
            f"{int(gold) + 1}",
            f"{gold}, {gold}1",
            rf"{gold}+\pi",
        ):
            assert correct(gold, wrong) is False


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("1/4", "0.25"),
        ("204", r"\text{204}"),
        ("204", "m+n=204"),
        ("2304", "2{,}304"),
        ("321", "321_{10}"),
        ("55", "110/2"),
        ("025", "25.0"),
        ("204", r"\text{204"),
        ("204", r"\boxed{\text{204}}."),
        ("204", r"204\text{ minutes}"),
        ("204", "204 minutes"),
        ("73", r"73^{\circ}"),
        ("1234567", r"\$1,234,567"),
        ("1234", r"1\,234"),
        ("-1/2", r"-\dfrac12"),
        ("-1/2", r"\frac{-1}{2}"),
        ("1.5", "1 1/2"),
        ("1.5", r"1\frac{1}{2}"),
        ("204", "２０４"),
        ("204", "2\u200b04"),
        ("-1", "−1"),
        ("5000000", r"5\text{ million}"),
        ("x^2-1", "(x-1)(x+1)"),
        (r"\sqrt{2}", "2^{1/2}"),
        (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt 2"),
        ("(1, 2)", r"\left(1,2\right)"),
        (r"\text{Monday}", "monday."),
        ("Paris", " **The  paris.** "),
        ("blue-green", "Blue green"),
        ("5 pm", "5 PM"),
    ],
)
def test_the_same_value_is_right(gold: str, answer: str) -> None:
    assert grade(question(gold), answer) == Grade(True, "graded", canonical(answer))


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("34", "3, 4"),
        ("34", "{3}{4}"),
        ("12", "1,2"),
        ("x+1+y", "x+1"),
        ("x+1", "x+1+y"),
        ("204", "203"),
        ("204", "-204"),
        ("204", "204, 205"),
        ("204", r"203 \text{ or } 204"),
        ("204", "٢٠٥"),
        ("5", r"5\text{ million}"),
        ("5", "x>=5"),
        ("5", r"x \neq 5"),
        ("52", "5²"),
        ("5²", "52"),
        ("1/2", "1/0"),
        ("(1,2)", "(2,1)"),
        ("Paris", "Pairs"),
        ("Paris", "Paris, France"),
        ("H2O", "HO2"),
        ("Apollo 11", "11 Apollo"),
        ("hepatitis A", "hepatitis"),
        ("O-", "O+"),
        ("O-", "O"),
        ("5 pm", "5 am"),
        ("?", "!"),
    ],
)
def test_another_value_is_wrong(gold: str, answer: str) -> None:
    found = grade(question(gold), answer)
    assert (found.correct, found.status) == (False, "graded")


@pytest.mark.parametrize(
    ("subject", "answer", "status"),
    [
        (question("204"), None, "no answer"),
        (question("204"), " \n", "no answer"),
        (question(None), "204", "no gold answer"),
        (question(" "), "204", "no gold answer"),
        (question("204"), "1" * 1001, "longer than 1,000 characters"),
        (question("204"), "}2{04", "braces do not match"),
        (question("7"), "3 4", "numbers side by side"),
        (question("B", "iron", "gold"), "C", "no such option"),
        (question("B", "iron", "gold"), "A or B", "no such option"),
    ],
)
def test_what_cannot_be_told_is_no_grade_but_a_reason(
    subject: Subject, answer: str | None, status: str
) -> None:
    found = grade(subject, answer)
    assert (found.correct, found.status) == (None, status)


@pytest.mark.parametrize(
    "answer", ["B", "(b)", r"\text{B}", "$B$", "B.", "gold", r"\boxed{Gold}", "C"]
)
def test_a_letter_or_a_text_names_an_option_and_identical_ones_are_equally_right(
    answer: str,
) -> None:
    for gold in ("B", "C", "gold"):
        assert grade(question(gold, "iron", "gold", "gold", "1/2"), answer) == Grade(
            True, "graded", "B"
        )
    assert grade(question("A", "iron", "gold", "gold", "1/2"), answer) == Grade(
        False, "graded", "B"
    )
    assert grade(question("D", "iron", "gold", "gold", "1/2"), "0.5") == Grade(True, "graded", "D")


def test_a_gold_answer_that_names_no_option_is_an_error() -> None:
    with pytest.raises(
        StudyError, match="the gold answer 'C' names none of the 2 options of 'Which"
    ):
        grade(question("C", "iron", "gold"), "A")


@pytest.mark.parametrize(
    ("value", "answers"),
    [
        (
            "25",
            ["025", "25", "25.0", "$25$", r"\boxed{25}", "x = 25", "+25", r"25\text{ km}", "50/2"],
        ),
        ("1/2", ["1/2", "0.5", ".50", r"\frac{1}{2}", r"\dfrac12", "2/4"]),
        ("0", ["0", "-0", "0.0"]),
        ("3 4", ["3 4", r"3\ 4"]),
        ("(3,4)", ["3, 4", "$3,4$", "(3, 4)", r"x=3,\ y=4", r"(x, y) = (3, 4)", "y = 4, x = 3"]),
        (
            "≈1.414213562373095048801689",
            [r"\sqrt{2}", r"\sqrt {2}", r"\sqrt2", "2^{1/2}", "√2", r"\frac{2}{\sqrt{2}}", "2^0.5"],
        ),
        ("50", [r"50\%", "50%", "50 percent", "50", r"50\text{ km}", "€50", "fifty", "0050"]),
        ("true", ["Yes", "true.", "**TRUE**", r"\text{yes}"]),
        ("(1,2)", [r"\{2, 1\}", r"\{1,2\}", r"\{1,2,2\}"]),
        (
            "5000000",
            [r"5\text{ million}", "5,000,000", "5 million dollars", r"5 \times 10^6", "5e6"],
        ),
        ("new york", ["New York", " new  york. ", r"\text{New York}"]),
    ],
)
def test_votes_are_counted_by_value(value: str, answers: list[str]) -> None:
    assert {canonical(answer) for answer in answers} == {value}


def test_votes_for_options_are_letters() -> None:
    assert [
        canonical(answer, ["iron", "gold", "gold"]) for answer in ("a", "Gold", "C", "B", "lead")
    ] == ["A", "B", "B", "B", "lead"]


@given(st.integers(-(10**6), 10**6), st.integers(1, 999))
def test_a_fraction_is_one_value_however_it_is_written(top: int, bottom: int) -> None:
    value = str(Fraction(top, bottom))
    sign, size = "-" * (top < 0), abs(top)
    for text in (
        f"{top}/{bottom}",
        rf"{sign}\frac{{{size}}}{{{bottom}}}",
        rf"\dfrac{{{top}}}{{{bottom}}}",
        f"x={sign}{size:,}/{bottom}",
    ):
        assert canonical(text) == value
    assert canonical(f"{top / 1000:.3f}") == str(Fraction(top, 1000))


def test_a_function_of_ones_own_grades_any_answer_that_is_not_blank() -> None:
    def starts_alike(subject: Subject, answer: str) -> bool | None:
        return None if answer == "?" else answer[0] == subject.text[0]

    assert grade(question(None), "Why", by=starts_alike) == Grade(True, "graded", "why")
    assert grade(question("204"), "204", by=starts_alike).correct is False
    assert grade(question(None), "W" * 10**6, by=starts_alike) == Grade(True, "graded", None)
    assert grade(question("204"), "?", by=starts_alike) == Grade(None, "not told", "?")
    assert grade(question("204"), " ", by=starts_alike).status == "no answer"


HOSTILE = [
    "9" * 10**6,
    "{" * 1000,
    "5 feet" + " " * 900 + "x",
    "(" * 200,
    "\\" * 1000,
    "\\text{" * 150,
    "$" * 1000,
    "1," * 500,
    "}" * 1000,
    "a " * 500,
    "a=" * 500,
    "9**9**9",
    r"\frac{1}{" * 90 + "1",
    r"\input{/etc/passwd}",
    "__import__('os').system('true')",
    "\ud800",
    "\0",
    "\u200b" * 1000,
    "²" * 1000,
    "x\nquit\n[]",
    '","204"]',
    "9^{9^{9}}",
    "9!!!!!!!",
    "10**10**10",
    "2^" * 400 + "2",
    r"\sqrt[9999999]{9}",
    r"\sqrt" * 150 + "2",
    "1/" * 400 + "1",
    "(1," * 300,
    "{1," * 300,
    "x=" * 400 + "1",
    "x<" * 400,
    "±" * 500 + "1",
    r"\pm1" * 200,
    "18" + "^{2}" * 200,
    "18 m" + "^2" * 200,
    "18 " + "eggs " * 190,
    "one " * 240,
    "hundred " * 120,
    "18=" * 300,
    "18 or " * 150 + "18",
    "≈" * 900 + "1",
    "1:" * 450 + "1",
    r"\binom{300}{150}" * 50,
    "1e9999",
    "(1+i)^{999999}",
    "(x+1)^{9999}",
    "0." + "0" * 990 + "1",
    "_" * 999,
    "**" * 499,
    '"' * 999,
]


def test_no_answer_is_ever_executed(tmp_path: Path) -> None:
    """Forms that sympify, eval, LaTeX or a shell would run leave no trace."""
    trace = tmp_path / "trace"
    python = f"__import__('pathlib').Path('{trace}').touch()"
    for answer in (
        python,
        f"eval({python!r})",
        f"exec({python!r})",
        f"$({trace})",
        f"`touch {trace}`",
        f"$(touch {trace})",
        rf"\immediate\write18{{touch {trace}}}",
        rf"\input{{|touch {trace}}}",
        f"[{python} for x in (1,)]",
        f"(lambda: {python})()",
        rf"\frac{{{python}}}{{2}}",
        f"{{{{{python}}}}}",
        f"1 + {python}",
    ):
        assert len(answer) < 1000
        for gold in ("204", "x+1", "Paris"):
            assert grade(question(gold), answer).correct is not True
    assert not trace.exists()


@pytest.mark.parametrize("answer", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_answers_are_never_right_and_never_hang(answer: str) -> None:
    for gold in ("204", "Paris"):
        assert grade(question(gold), answer).correct is not True
    assert grade(question("A", "iron", "gold"), answer).correct is None
    assert canonical(answer) is not None
    assert correct(r"\sqrt{2}", "2^{1/2}") is True


def test_a_number_that_is_too_large_is_not_told_and_asks_no_process() -> None:
    for answer in ("9^{9^{9}}", "9!!!!", "10**10**10", "(" * 100 + "1" + ")" * 100):
        found = grade(question("204"), answer)
        assert (found.correct, found.status) == (None, "too large to be computed"), answer


@pytest.mark.slow
def test_an_answer_that_no_comparison_survives_is_not_told_and_the_next_one_is() -> None:
    found = grade(question("204"), r"\prod_{k=1}^{99999} k!")
    assert (found.correct, found.status) == (None, math_verify.TIMED_OUT)
    assert correct("6", r"\sum_{k=1}^{3} k") is True


@pytest.fixture
def all_different(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arena.grading.grade.compare", lambda gold, answer: "different")


@pytest.mark.usefixtures("all_different")
@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=r"019,./-+=$\{}()fractextboxed *AB٣½", max_size=30) | st.text(max_size=20))
def test_the_rules_grade_any_text_as_they_count_votes(answer: str) -> None:
    """What is right by rule has the gold answer's value in votes, and no text makes a rule fail."""
    for gold in ("19", "0.9", "a b"):
        found = grade(question(gold), answer)
        # Words that differ by a blank are right, and two votes.
        if found.correct and gold != "a b":
            assert found.canonical == canonical(gold)
    assert grade(question("A", "x", "y"), answer).correct == (
        {"A": True, "B": False}.get(canonical(answer, ["x", "y"]))
    )


async def test_grades_come_beside_a_running_event_loop() -> None:
    """The loop goes on while math-verify works, and many answers may wait at once."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    ticking = asyncio.create_task(tick())
    sums = [rf"\sum_{{k=1}}^{{{n}}} k" for n in range(1, 21)]
    answers = ["2^{1/2}", "2^{1/3}", "204", None, *sums]
    found = await asyncio.gather(*(grade_async(question("210"), answer) for answer in answers))
    ticking.cancel()
    assert [grade.correct for grade in found] == [False, False, False, None] + [False] * 19 + [True]
    assert ticks > 20
    assert grade(question(r"\sqrt{5}"), "5^{1/2}").correct is True  # blocking, with a loop running


def test_grades_come_from_many_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: correct("28", rf"\sum_{{k=1}}^{{{n}}} k"), range(2, 14)))
    assert found == [n == 7 for n in range(2, 14)]
