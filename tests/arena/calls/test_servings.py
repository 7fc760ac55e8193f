"""Two names are one model only where one of them is the other with a date behind it."""

from __future__ import annotations

import pytest

from arena.calls.servings import Serving, Servings, is_same_model


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("gpt-5-mini", "gpt-5-mini-2025-08-07", True),
        ("gpt-4", "gpt-4-0613", True),
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", True),
        ("claude-sonnet-4-5", "claude-sonnet-4-5@20250929", True),
        ("gemini-1.5-pro", "gemini-1.5-pro-001", True),
        ("llama", "llama", True),
        ("gpt-5-mini-2025-08-07", "gpt-5-mini-2026-01-11", False),
        ("gpt-4", "gpt-4-turbo", False),
        ("claude-sonnet-4", "claude-sonnet-4-5", False),
        ("gpt-4", "gpt-4o", False),
        ("", "gpt-4o", False),
    ],
)
def test_a_date_behind_a_name_tells_its_snapshot_and_two_are_two_models(
    one: str, other: str, same: bool
) -> None:
    assert (is_same_model(one, other), is_same_model(other, one)) == (same, same)


def test_an_agent_is_told_of_once_and_its_names_cannot_steer_a_terminal() -> None:
    servings = Servings()
    notes = [
        servings.note("A", "x/m", Serving(name))
        for name in ("m", "m", "n\x1b[2J", "o", *(f"p{n}" for n in range(9)))
    ]
    assert [note is None for note in notes] == [True, True, False, *[True] * 10]
    assert "\x1b" not in (notes[2] or "\x1b")
    (sentence,) = servings.sentences()
    assert sentence.startswith("A (x/m) was answered by m, n")
    assert "o and 9 others" not in sentence
    assert "8 others" in sentence


def test_another_model_is_one_that_differs_from_those_before_it() -> None:
    servings = Servings()
    names = ["gpt-4o", "gpt-4o-0101", "gpt-4o-0202", "gpt-4o-0303"]
    for name in names:
        servings.note("A", "x/gpt-4o", Serving(name))
    assert [servings.is_other("A", "x/gpt-4o", name) for name in names] == [
        False,
        False,
        True,
        True,
    ]
    assert not servings.is_other("B", "x/gpt-4o", "gpt-4o-0101")
