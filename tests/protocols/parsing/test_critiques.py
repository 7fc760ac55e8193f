"""A critic's verdict: which line decides, and which do not."""

from __future__ import annotations

import pytest

from arena.types import Reply
from protocols.parsing.critiques import critique_verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Step 2 adds.\nVerdict: wrong", "wrong"),
        ("**Verdict:** Correct.", "right"),
        ("- Final verdict: the answer is incorrect", "wrong"),
        ("Verdict: right\nOn second thoughts the units differ.\nVerdict: wrong", "wrong"),
        ("Verdict: right or wrong", None),
        # Taken back, half right, asked, or quoted from what somebody else wrote.
        ("Verdict: right. Actually no, it is flawed.", None),
        ("Verdict: right\n\nOn second thought I take that back.", None),
        ("Verdict: right?", None),
        ("Verdict: right, but step 3 adds wrongly.", None),
        ("Verdict: wrong. No, it holds.", None),
        ("Verdict: wrong\nIt should actually be 5, but the method is good.", "wrong"),
        ("Verdict: right, since each step holds.", "right"),
        ("The reply says:\n> Verdict: wrong", None),
        ("The verdict: right is what I would say", None),
        ("Verdict: rightly so", None),
        ("It is right.", None),
        ("<think>Verdict: right</think>I cannot tell.", None),
    ],
)
def test_the_last_line_that_states_one_verdict_counts(text: str, verdict: str | None) -> None:
    reading = critique_verdict(Reply(text))
    assert reading.answer == verdict
    assert (reading.reask is None) == (verdict is not None)
    assert critique_verdict(text, reask=False).reask is None


def test_a_reply_that_was_not_finished_has_no_verdict() -> None:
    reading = critique_verdict(Reply("Verdict: right", finish_reason="length"))
    assert (reading.answer, reading.flags) == (None, ("cut off",))
