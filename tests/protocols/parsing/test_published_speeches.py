"""The published speeches, put into the form of ours: what is shown, and what stays private."""

from __future__ import annotations

import re

import pytest

from protocols.parsing.tags import speech_only
from tests.publication import NOT_HERE, is_real, plain_debates

# Words by which the published prompt asked for a private bet.
PRIVATE = re.compile(
    r"bet_(?:logic|amount)|private\s(?:confidence|bet|thoughts)|^\W*bet amount|<thoughts",
    re.IGNORECASE | re.MULTILINE,
)


@pytest.fixture(scope="module")
def speeches() -> list[str]:
    """Every published speech, or the made-up ones."""
    every = [speech for debate in plain_debates() for speech in debate.speeches.values()]
    return [speech for speech in every if speech.strip() not in ("", "-1")]


def shown(speech: str) -> str | None:
    return speech_only(f"<thoughts>t</thoughts><speech>{speech}</speech>").public


@pytest.mark.slow
def test_no_published_bet_becomes_public(speeches: list[str]) -> None:
    assert speeches
    public = [words for speech in speeches if (words := shown(speech)) is not None]
    assert public
    assert [words for words in public if PRIVATE.search(words)] == []


def test_a_speech_in_the_tags_of_its_parts_is_shown() -> None:
    parts = "<argument_1><core_claim>It works.</core_claim></argument_1>"
    assert shown(f"<opening_speech>{parts}</opening_speech>") is not None
    assert shown(f"<FINAL SPEECH>\n{parts}\n</FINAL SPEECH>  \n\n---") is not None
    assert shown(f"<opening_speech>{parts}</opening_speech>\nI may lose.") is None
    assert shown(f"{parts}<bet_amount>70</bet_amount>") is None


@pytest.mark.slow
@pytest.mark.skipif(not is_real(), reason=NOT_HERE)
def test_few_published_speeches_are_withheld(speeches: list[str]) -> None:
    """87 were in version 0.1.0, which showed 33 private bets; 41 of the 87 and these 33 are now."""
    assert len(speeches) == 714
    assert sum(shown(speech) is None for speech in speeches) == 74
