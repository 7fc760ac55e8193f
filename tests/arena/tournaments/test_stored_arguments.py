"""Of several candidates for a speech one is delivered, by rule."""

from __future__ import annotations

import pytest

from arena.tournaments.stored_arguments import (
    PREFERENCE,
    REFINED,
    SPEECH,
    delivered,
    form_of,
    preferring_seat,
    side_of,
)
from arena.types import Turn


def speech(seat: str, step: int, phase: str = SPEECH, public: str | None = "words") -> Turn:
    """A candidate of round 0 for the answer A."""
    answer = None if public is None else "A"
    return Turn("e", seat, step, phase, 0, text="", public=public, answer=answer)


def preference(of: Turn, answer: str | None, confidence: float | None) -> Turn:
    """What a judge says after a candidate."""
    return Turn(
        "e", preferring_seat(of), 0, PREFERENCE, 0, "", "", confidence=confidence, answer=answer
    )


ONE, TWO, THREE = speech("debater", 0), speech("debater 2", 0), speech("debater 3", 0)


def test_the_candidate_after_which_its_answer_is_most_probable_is_delivered() -> None:
    liked = [preference(ONE, "B", 0.6), preference(TWO, "A", 0.7), preference(THREE, "A", 0.55)]
    assert delivered([ONE, TWO, THREE, *liked]) == [TWO]


def test_the_first_of_equals_and_of_those_without_a_preference_is_delivered() -> None:
    equal = [preference(each, "A", 0.7) for each in (ONE, TWO)]
    assert delivered([ONE, TWO, *equal]) == [ONE]
    unread = [preference(ONE, None, None), preference(TWO, "B", 0.9)]
    assert delivered([ONE, TWO, *unread]) == [TWO]


def test_a_refined_speech_is_delivered_unless_none_can_be_read() -> None:
    refined = speech("debater", 1, REFINED)
    unusable = speech("debater", 1, REFINED, None)
    assert delivered([ONE, refined, preference(ONE, "A", 1.0)]) == [refined]
    assert delivered([ONE, unusable]) == [ONE]
    assert delivered([speech("debater", 0, public=None)])[0].public is None


def test_sides_deliver_in_order_whatever_the_order_of_turns() -> None:
    opponent = speech("opponent", 0)
    assert delivered([opponent, ONE]) == [ONE, opponent]
    assert side_of("opponent 12") == "opponent"


@pytest.mark.parametrize(
    ("protocol", "options", "form"),
    [
        ("judged_debate", {}, "debate"),
        ("judged_debate", {"argues": "chosen"}, "open debate"),
        ("judged_debate", {"hears": "nobody"}, "unheard"),
        ("consultancy", {"argues": "wrong"}, "consultancy"),
        ("consultancy", {"argues": "chosen"}, "open consultancy"),
    ],
)
def test_a_form_is_told_by_protocol_and_options(
    protocol: str, options: dict[str, object], form: str
) -> None:
    assert form_of(protocol, options) == form
