"""Values are graded and counted as they are meant, whatever their spelling."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.simulated.questions import simulated_questions
from arena.grading.grade import canonical, grade
from arena.grading.values import read
from arena.types import Subject
from tests.arena.grading.right_values import (
    BY_MATH_VERIFY,
    SPELLINGS_OF_18,
    VALUES,
)


def correct(gold: str, answer: str) -> bool | None:
    return grade(Subject("?", "question", gold), answer).correct


@pytest.mark.parametrize("answer", SPELLINGS_OF_18)
def test_a_number_is_right_and_one_vote_in_every_spelling(answer: str) -> None:
    assert correct("18", answer) is True
    assert correct(answer, "18") is True
    assert correct("19", answer) is False
    assert canonical(answer) == "18"


@pytest.mark.parametrize(("gold", "answer", "right"), VALUES)
def test_values_are_graded_as_they_are_meant(gold: str, answer: str, right: bool | None) -> None:
    found = grade(Subject("?", "question", gold), answer)
    assert found.correct is right
    assert (found.status == "graded") == (found.correct is not None)


@pytest.mark.parametrize(("gold", "answer", "right"), BY_MATH_VERIFY)
def test_what_has_no_value_here_is_graded_by_math_verify(
    gold: str, answer: str, right: bool | None
) -> None:
    assert correct(gold, answer) is right


def test_what_is_graded_alike_votes_alike_but_for_what_only_the_gold_answer_connects() -> None:
    split = {
        (gold, answer)
        for gold, answer, right in VALUES
        if right is True and canonical(gold) != canonical(answer)
    }
    # One quantity in two units, and lists without brackets in two orders.
    assert split == {
        ("5 km", "5000 m"),
        ("1 hour", "60 minutes"),
        ("25 cents", "0.25 dollars"),
        ("1 hour and 30 minutes", "1.5 hours"),
        ("3 m, 5 km", "5 km and 3 m"),
        ("$3.50", "3 dollars and 50 cents"),
        (r"28\%", "0.28"),
        ("5 J", "5000 mJ"),
        ("0.28", "28%"),
        ("-2,1", "1, -2"),
        (r"\pm 2021", "-2021, 2021"),
    }


@pytest.mark.parametrize(
    ("votes", "most"),
    [
        ([r"50\%", "50", "40", "40"], "50"),
        ([r"x=3,\ y=4", "(3,4)", "3,4", "(4,3)", "(4,3)"], "(3,4)"),
        ([r"\sqrt{2}", r"\sqrt2", "2^{1/2}", "2", "2"], "≈1.414213562373095048801689"),
        (["18 eggs", "18", "17", "17 eggs", "$18"], "18"),
        ([r"5\text{ million}", "5", "5", "5,000,000", "$5 million"], "5000000"),
    ],
)
def test_votes_for_one_value_in_several_spellings_are_counted_together(
    votes: list[str], most: str
) -> None:
    counted = [canonical(vote) for vote in votes]
    assert max(counted, key=counted.count) == most


UNITS = (
    *("cm", "km/h", "m/s^2", "eggs", "cookies", "people", "dollars", "euros", "hours", "kg"),
    *("units", "Ω", "years", "Newton", "mph", "square meters"),
)
CURRENCIES = ("$", "€", "£", "¥", "₹", r"\$", "US$", "USD ", r"\pounds ")
INSIDE = ("{}", "**{}**", "`{}`", "*{}*", r"\boxed{{{}}}", r"\bf {}", "{}.", r"\({}\)", "__{}__")
OUTSIDE = (
    "{}",
    "= {}",
    "≈{}",
    " {} ",
    "<b>{}</b>",
    r"\mathbf{{{}}}",
    r"\approx {}",
    r"{}\\",
    "~{}",
)
NUMBERS = st.fractions(min_value=-10_000, max_value=10_000, max_denominator=1000)


@settings(max_examples=150, deadline=None)
@given(
    NUMBERS,
    st.sampled_from(UNITS),
    st.sampled_from(CURRENCIES),
    st.sampled_from(INSIDE),
    st.sampled_from(OUTSIDE),
    st.booleans(),
)
def test_no_unit_sign_or_markup_changes_a_value(
    number: Fraction, unit: str, currency: str, inside: str, outside: str, before: bool
) -> None:
    text = str(number)
    bare = f"{currency}{abs(number)}" if before and number.denominator == 1 else f"{text} {unit}"
    value = str(abs(number)) if bare.startswith(currency) else text
    answer = outside.format(inside.format(bare))
    assert correct(value, answer) is True
    assert correct(str(number + 1), answer) is not True
    assert canonical(answer) == value


@settings(max_examples=150, deadline=None)
@given(st.integers(-(10**6), 10**6), st.integers(-8, 8))
def test_a_number_with_a_power_of_ten_is_its_value(digits: int, power: int) -> None:
    value = digits * Fraction(10) ** power
    for text in (f"{digits}e{power}", rf"{digits} \times 10^{{{power}}}", f"{digits}*10^{power}"):
        assert canonical(text) == str(value)
        assert correct(str(value), text) is True


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-99, 99), min_size=2, max_size=5))
def test_tuples_keep_their_order_and_sets_do_not(items: list[int]) -> None:
    texts = [str(item) for item in items]
    pair = f"({', '.join(texts)})"
    for other in (
        ", ".join(texts),
        rf"\left({','.join(texts)}\right)",
        "⟨" + ";".join(texts) + "⟩",
    ):
        assert canonical(other) == canonical(pair)
        assert correct(pair, other) is True
    backwards = f"({', '.join(reversed(texts))})"
    assert correct(pair, backwards) is (items == items[::-1])
    curly = [rf"\{{{','.join(each)}\}}" for each in (texts, texts[::-1])]
    assert canonical(curly[0]) == canonical(curly[1])
    assert correct(*curly) is True


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 500), st.integers(2, 5))
def test_a_root_is_one_value_however_it_is_written(number: int, index: int) -> None:
    texts = [rf"\sqrt[{index}]{{{number}}}", f"{number}^{{1/{index}}}", rf"{number}^\frac1{index}"]
    assert len({canonical(text) for text in texts}) == 1
    assert correct(texts[0], texts[1]) is True
    assert correct(texts[0], rf"\sqrt[{index}]{{{number + 1}}}") is False


@settings(max_examples=100, deadline=None)
@given(st.decimals(-1000, 1000, places=4), st.decimals(-1000, 1000, places=4))
@example(Decimal("0.0001"), Decimal("-0.0001"))
def test_two_plain_decimals_are_equal_or_not(one: object, other: object) -> None:
    assert correct(str(one), str(other)) is (one == other)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="北京日本Parisé", min_size=1, max_size=8), st.data())
def test_no_punctuation_around_words_counts(words: str, data: st.DataObject) -> None:
    signs = "。、！？「」『』《》〈〉（）【】…‥·¡¿«»“”‘’؟،।՞;:!?.,"
    before, after = (data.draw(st.text(alphabet=signs, max_size=3)) for _ in range(2))
    assert correct(words, f"{before}{words}{after}") is True


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=r"0189,./-+=$\{}()[]^_%°eix≈√½ frcsqtmdn\pm:;", max_size=60))
def test_any_text_has_one_value_or_none(text: str) -> None:
    value = read(text)
    assert value is None or (value.key and read(text) == value)
    assert canonical(text) == canonical(text)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["true", "false", "yes", "no"]),
    st.sampled_from(["true", "false", "yes", "no"]),
    st.sampled_from([str.lower, str.upper, str.title]),
    st.sampled_from(
        [*INSIDE, r"\text{{{}}}", "{}!", '"{}"', "<b>{}</b>", r"$\text{{{}}}$", "{}, so."]
    ),
)
def test_a_truth_is_one_answer_in_any_case_and_tag(
    gold: str, said: str, case: Callable[[str], str], around: str
) -> None:
    alike = (gold in ("true", "yes")) == (said in ("true", "yes"))
    answer = around.format(case(said))
    assert correct(case(gold), answer) is alike
    assert (canonical(gold) == canonical(answer)) is alike


def test_simulated_answers_are_their_own_values() -> None:
    for subject in simulated_questions(30):
        assert grade(subject, subject.gold).correct is True


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        ("9\n- 10\n- 11\n- 12", "9, 10, 11, 12"),
        ("- 10\r\n- 11", "10, 11"),
        ("* 3 m\n\n* 4 m", "3, 4"),
        ("$9$\u2028+ $10$", "9, 10"),
        ("1\n-1", "1, -1"),
        # Not each line is a number, or none but the first could be an item.
        ("x^2\n- 3x\n+ 2", "x^2 - 3x + 2"),
        ("1\n+ 2\n= 3", "3"),
        ("9 -\n10", "-1"),
        ("- 5", "-5"),
    ],
)
def test_numbers_on_lines_of_their_own_are_a_list_and_no_sum(lines: str, value: str) -> None:
    assert canonical(lines) == canonical(value)
