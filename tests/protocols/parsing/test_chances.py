"""The chances of winning and of losing are read apart, and asked for apart where one is missing."""

from __future__ import annotations

import pytest

from arena.types import Reply
from protocols.parsing.chances import CHANCE_OF_LOSING, speech_and_chances

SPEECH = "<thoughts>a</thoughts>\n<speech>b</speech>\n"


@pytest.mark.parametrize(
    ("words", "winning", "losing"),
    [
        ("<win>60%</win>\n<lose>55</lose>", 0.6, 0.55),
        ("<LOSE>0.5%</LOSE><win> 7 out of 10 </win>", 0.7, 0.005),
        ("**Chance of winning**: 70%\n- Losing: 30", 0.7, 0.3),
        ("<win>100</win><lose>100</lose>", 1.0, 1.0),
        ("<win>60</win>", 0.6, None),
        ("<lose>60</lose>", None, 0.6),
        ("<win>60</win><lose>at most 50</lose>", 0.6, None),
        ("<win>60</win><win>70</win><lose>20</lose>", None, 0.2),
        ("<win>60</win><win>60</win><lose>-5</lose>", 0.6, None),
        ("<rating>60</rating>", None, None),
    ],
)
def test_each_chance_is_read_by_itself(
    words: str, winning: float | None, losing: float | None
) -> None:
    reading = speech_and_chances(SPEECH + words)
    assert (reading.public, reading.thoughts, reading.confidence) == ("b", "a", winning)
    assert (reading.measures or {}).get(CHANCE_OF_LOSING) == losing
    missing = [winning is None, losing is None]
    assert reading.missing == tuple(
        name
        for name, is_missing in zip(("confidence", CHANCE_OF_LOSING), missing, strict=True)
        if is_missing
    )
    asked = reading.reask or ""
    assert ["<win>" in asked, "<lose>" in asked, "<speech>" in asked] == [*missing, False]


def test_a_speech_that_holds_a_chance_is_not_public_and_asked_for_again() -> None:
    reading = speech_and_chances("<win>60</win><lose>40</lose><thoughts>broken")
    assert reading.missing == ("public",)
    assert "N stands for" not in str(reading.reask)


@pytest.mark.parametrize("reason", ["length", "content_filter", "refusal"])
def test_of_a_reply_that_was_not_finished_only_closed_tags_count(reason: str) -> None:
    reading = speech_and_chances(Reply(SPEECH + "<win>60</win><lose>4", finish_reason=reason))
    assert reading.confidence == (0.6 if reason == "length" else None)
    assert reading.measures is None
