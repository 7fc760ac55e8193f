"""Chances that private thoughts state: sentences as debaters write them."""

from __future__ import annotations

import pytest

from protocols.parsing.thought_chances import stated_chance


@pytest.mark.parametrize(
    ("thoughts", "low", "high"),
    [
        ("Therefore, I believe we have a 65% chance of winning.", 65, 65),
        ("Estimated win probability: 70-75%", 70, 75),
        ("I put our odds at 60% to 65 %.", 60, 65),
        ("My confidence is 65/100.", 65, 65),
        ("I give us 7 out of 10 to win.", 70, 70),
        ("Probability of victory: 0.72", 72, 72),
        ("Chances are 50/50 here.", 50, 50),
        ("I am seventy percent sure of our case.", 70, 70),
        # The last statement counts.
        ("At first 55% seemed a fair chance to win. Now I would say 80% to win.", 80, 80),
        # A number of the debate is none of one's own.
        ("We hit the 20% threshold hard. I estimate a 70% chance of victory.", 70, 70),
        # A stake is what the thoughts are held against.
        ("I assess my chance of winning at 55%. I'll bet a modest 30 tokens to win.", 55, 55),
        ("We will win, 60% likely.\n\n<bet_amount>85</bet_amount>", 60, 60),
    ],
)
def test_a_number_with_its_unit_in_a_sentence_about_winning(
    thoughts: str, low: float, high: float
) -> None:
    found = stated_chance(thoughts)
    assert found is not None
    assert (100 * found.low, 100 * found.high) == pytest.approx((low, high))
    assert found.said == "number"


@pytest.mark.parametrize(
    ("thoughts", "within"),
    [
        ("I am very confident that we win.", (75, 95)),
        ("We are almost certain to prevail.", (87, 99)),
        ("Winning is unlikely now.", (10, 40)),
        ("Winning is very unlikely now.", (2, 15)),
        ("We are cautiously optimistic about our chances.", (55, 75)),
        ("I am confident. But our chances have become a coin flip.", (45, 55)),
        ("I am confident in this win, a strong chance.", (60, 85)),
    ],
)
def test_an_expression_stands_for_a_range_where_there_is_no_number(
    thoughts: str, within: tuple[float, float]
) -> None:
    found = stated_chance(thoughts)
    assert found is not None
    assert (100 * found.low, 100 * found.high) == pytest.approx(within)
    assert found.said == "words"


@pytest.mark.parametrize(
    "thoughts",
    [
        "",
        "NA",
        "Our evidence is strong, and theirs covers 40% of towns.",
        "I am not confident that this wins.",
        "I stake 75% of my tokens to win.",
        "The opponent has a 70% chance of winning.",
        "Our chance of winning lies between 140% and 150%.",
    ],
)
def test_what_states_no_chance_of_ones_own_has_none(thoughts: str) -> None:
    assert stated_chance(thoughts) is None


def test_long_thoughts_take_no_long_time() -> None:
    assert stated_chance("confident " * 100_000 + "chance 5" * 1000) is not None
