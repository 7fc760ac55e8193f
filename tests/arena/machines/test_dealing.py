"""Models are dealt to engines evenly, and stay where they are."""

from __future__ import annotations

from arena.machines.dealing import deal


def test_one_model_is_on_all_engines() -> None:
    assert deal(["a"], 3, {}) == {"a": (0, 1, 2)}


def test_models_share_the_engines_and_the_first_has_one_more() -> None:
    assert deal(["a", "b"], 5, {}) == {"a": (0, 1, 2), "b": (3, 4)}


def test_engines_hold_several_models_where_there_are_more_of_these() -> None:
    assert deal(["a", "b", "c"], 2, {}) == {"a": (0,), "b": (1,), "c": (0,)}


def test_a_model_of_an_earlier_study_stays_where_its_weights_are() -> None:
    first = deal(["a", "b"], 4, {})
    assert first == {"a": (0, 1), "b": (2, 3)}
    assert deal(["b", "c"], 4, first) == {"b": (2, 3), "c": (0, 1, 2, 3)}
    assert deal(["b"], 4, first) == {"b": (2, 3)}
