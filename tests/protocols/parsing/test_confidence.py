"""Confidence read out of replies: each form on its own scale, what is ambiguous is missing with a
reason, and hostile text costs little.
"""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.confidence_prompts import CHAIN, CLOSING, MULTI_STEP, PROBE, VANILLA
from protocols.parsing.answers import ASK_ANSWER
from protocols.parsing.confidence import (
    ASK_ANSWER_AND_CONFIDENCE,
    ASK_CONFIDENCE,
    ASK_GUESSES,
    answer_and_confidence,
    answer_and_steps,
    confidence_only,
    guesses,
    step_confidences,
    top_guess,
    true_or_false,
)


@pytest.mark.parametrize(
    ("text", "confidence"),
    [
        ("Confidence: 85%", 0.85),
        ("confidence: 85", 0.85),
        ("**Confidence:** 85%", 0.85),
        ("**Confidence**: 85 %.", 0.85),
        ("- My confidence is 72.5 percent", 0.725),
        ("Confidence (0-100): 85%", 0.85),
        ("Confidence level: 85/100", 0.85),
        ("Confidence = 8.5 out of 10", 0.85),
        ("Confidence: 0.85/1", 0.85),
        ("Confidence： 85％", 0.85),
        ("Confidence: 0%", 0.0),
        ("Confidence: 0", 0.0),
        ("Confidence: 100% (certain)", 1.0),
        ("Confidence: 0.5%", 0.005),
        ("Confidence: 85%\nAs said:\nConfidence: 85 %", 0.85),
        ("Confidence: 60%\nConfidence of step 1: 90%\nOverall confidence: 80%", 0.8),
        ("Final confidence: 80%", 0.8),
        ("Confidence: ８５%", 0.85),
        ("Confidence: 85% (out of 100)", 0.85),
        ("Confidence (out of 10): 8.5", 0.85),
        ("Confidence (0 to 10): 8.5", 0.85),
        ("Confidence (0-1): 0.85", 0.85),
        ("Confidence (0-100): 85", 0.85),
        ("Confidence (1-10): 85%", 0.85),
        ("Confidence:\n85%", 0.85),
        ('{"confidence": 85}', 0.85),
        ('{"answer": "B", "confidence": "85%"}', 0.85),
        ("Answer: B, Confidence: 85%", 0.85),
        ("**Answer:** B. **Confidence:** 85%", 0.85),
        ("Confidence: eighty-five percent", 0.85),
        ("<think>Confidence: 20%</think>\nConfidence: 85%", 0.85),
    ],
)
def test_a_stated_confidence_is_read(text: str, confidence: float) -> None:
    reading = confidence_only(f"Answer: \\boxed{{5}}\n{text}")
    assert (reading.confidence, reading.confidence_status) == (confidence, "read")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no confidence"),
        ("I am confident.", "no confidence"),
        ("I state this with a confidence of 85%.", "no confidence"),
        ("Confidence: high", "no number"),
        ("Confidence: N%", "no number"),
        ("Confidence:", "no number"),
        ("Confidence: 0.85", "ambiguous scale"),
        ("Confidence: 1", "ambiguous scale"),
        ("Confidence: 120%", "out of range"),
        ("Confidence: -5%", "out of range"),
        ("Confidence: 850", "out of range"),
        ("Confidence: 11 out of 10", "out of range"),
        ("Confidence: 80-90%", "several numbers"),
        ("Confidence: above 80%", "several numbers"),
        ("Confidence: 80%\nConfidence: 90%", "several numbers"),
        ("Confidence: 80%\nConfidence: high", "several numbers"),
        ("Overall confidence: 80%\nFinal confidence: 90%", "several numbers"),
        ("Confidence of step 1: 90%", "no confidence"),
        ("<think>Confidence: 85%", "no confidence"),
        ("Confidence (scale 1-10): 8", "ambiguous scale"),
        ("Confidence (1-5): 5", "ambiguous scale"),
        ("Confidence: 4 stars", "ambiguous scale"),
        ("Confidence: 80% that I'm wrong", "no number"),
        ("Confidence: 3 of 4 checks held, so 85%", "several numbers"),
    ],
)
def test_what_is_ambiguous_or_impossible_is_missing_with_its_reason(text: str, reason: str) -> None:
    reading = confidence_only(text)
    assert (reading.confidence, reading.confidence_status) == (None, reason)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("G1: 57\nP1: 0.6\nG2: 58\nP2: 0.3", [("57", 0.6), ("58", 0.3)]),
        ("**G1:** 57\n**P1:** 60%", [("57", 0.6)]),
        ("G1: 57, P1: 0.6; G2: 58, P2: 0.3", [("57", 0.6), ("58", 0.3)]),
        ("G1: \\boxed{57}\nP1: 0.6", [("57", 0.6)]),
        ("P1: 0.6\nG1: 57.", [("57", 0.6)]),
        ("G1: 57\nP1: 85\nG2: 58\nP2: 10", [("57", 0.85), ("58", 0.1)]),
        ("G1: 57\nP1: 1\nG2: 58\nP2: 0", [("57", 1.0), ("58", 0.0)]),
        ("G1: 57\nP1: about 0.6", [("57", 0.6)]),
        ("G1: x+1\nP1: 0.6\nG1: x+1", [("x+1", 0.6)]),
        ("G2: 58\nP2: 0.3", []),
        ("G1: 57\nP1: 0.6\nG3: 1\nP3: 0.1", [("57", 0.6)]),
    ],
)
def test_guesses_are_read_with_their_probabilities(
    text: str, found: list[tuple[str, float]]
) -> None:
    assert [(guess.answer, guess.probability) for guess in guesses(text)] == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("G1: 57", "no probability"),
        ("G1: 57\nP1: likely", "no number"),
        ("G1: 57\nP1: 1.0\nG2: 58\nP2: 60", "ambiguous scale"),
        ("G1: 57\nP1: -0.2", "out of range"),
        ("G1: 57\nP1: 130%", "out of range"),
        ("G1: 57\nP1: 0.6\nP1: 0.7", "several numbers"),
        ("G1: 57\nP1: 0.6 to 0.7", "several numbers"),
        ("Nothing.", "no guess"),
    ],
)
def test_a_probability_that_cannot_be_told_is_missing_with_its_reason(
    text: str, reason: str
) -> None:
    reading = top_guess(text)
    assert (reading.confidence, reading.confidence_status, reading.reask) == (
        None,
        reason,
        ASK_GUESSES,
    )


def test_guesses_among_options_are_letters() -> None:
    found = guesses(
        "G1: (B)\nP1: 0.6\nG2: C) forty\nP2: 0.2\nG3: E\nP3: 0.1\nG4: forty\nP4: 0.1",
        letters="ABCD",
    )
    assert [guess.answer for guess in found] == ["B", "C", None, None]


def test_two_first_guesses_are_none_and_probabilities_above_one_are_flagged() -> None:
    assert (
        top_guess("G1: 57\nG1: 58\nP1: 0.6").answer,
        top_guess("G1: 57\nG1: 58\nP1: 0.6").flags,
    ) == (None, ("no guess",))
    reading = top_guess("G1: 57\nP1: 0.9\nG2: 58\nP2: 0.8")
    assert (reading.answer, reading.confidence, reading.flags, reading.reask) == (
        "57",
        0.9,
        ("probabilities above 1",),
        None,
    )


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Confidence of step 1: 90%\nConfidence of step 2: 80%", ([0.9, 0.8], "read")),
        ("**Confidence of step 2:** 80%\nStep 1 confidence: 90%", ([0.9, 0.8], "read")),
        ("Confidence of step 2: 80%", ([], "a step is missing")),
        ("Confidence of step 1: 80%\nConfidence of step 1: 90%", ([], "several numbers")),
        ("Confidence of step 1: high", ([], "no number")),
        ("Confidence: 80%", ([], "no steps")),
    ],
)
def test_steps_have_confidences_of_their_own(text: str, steps: tuple[list[float], str]) -> None:
    assert step_confidences(text) == steps


def test_the_confidence_of_steps_is_the_one_of_the_whole_or_their_product() -> None:
    text = (
        "Confidence of step 1: 90%\nConfidence of step 2: 80%\n"
        "Answer: \\boxed{5}\nOverall confidence: 75%"
    )
    assert answer_and_steps(text).confidence == 0.75
    assert answer_and_steps(text, score="product").confidence == pytest.approx(0.72)
    missing = answer_and_steps("\\boxed{5}\nOverall confidence: 75%", score="product")
    assert (missing.answer, missing.confidence, missing.confidence_status) == (
        "5",
        None,
        "no steps",
    )
    assert "Confidence of step 1" in str(missing.reask)


@pytest.mark.parametrize(
    ("text", "answer", "confidence", "reask"),
    [
        ("Answer: \\boxed{57}\nConfidence: 85%", "57", 0.85, None),
        ("Answer: \\boxed{57}\nConfidence: 0.85", "57", None, ASK_CONFIDENCE),
        ("Answer: 57\nConfidence: 85%", "57", 0.85, None),
        ("It depends.\nConfidence: 85%", None, 0.85, ASK_ANSWER),
        ("Answer: 57, Confidence: 85%", "57", 0.85, None),
        ('{"answer": 57, "confidence": 85}', "57", 0.85, None),
        ("Confidence: 85%", None, 0.85, ASK_ANSWER),
        ("Well.", None, None, ASK_ANSWER_AND_CONFIDENCE),
        ("<think>\\boxed{1}</think>\\boxed{57}\nConfidence: 85%", "57", 0.85, None),
        ("", None, None, ASK_ANSWER_AND_CONFIDENCE),
    ],
)
def test_what_could_not_be_read_is_asked_for_once_more(
    text: str, answer: str | None, confidence: float | None, reask: str | None
) -> None:
    reading = answer_and_confidence(text)
    assert (reading.answer, reading.confidence, reading.reask) == (answer, confidence, reask)


def test_a_letter_is_read_where_there_are_options() -> None:
    reading = answer_and_confidence("Answer: (B)\nConfidence: 85%", letters="ABCD")
    assert (reading.answer, reading.confidence) == ("B", 0.85)
    assert answer_and_confidence("\\boxed{42}\nConfidence: 85%", letters="ABCD").flags == (
        "no letter",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [("True", "True"), (" false. ", "False"), ("(True)", "True"), ("Perhaps", None), ("", None)],
)
def test_true_and_false_are_read_as_one_word(text: str, said: str | None) -> None:
    assert true_or_false(text).answer == said


@pytest.mark.parametrize(
    "prompt",
    [VANILLA, CHAIN, MULTI_STEP, PROBE, ASK_ANSWER_AND_CONFIDENCE, ASK_CONFIDENCE, CLOSING],
)
def test_a_reply_that_repeats_its_instructions_states_nothing(prompt: str) -> None:
    reading = answer_and_confidence(prompt)
    assert (reading.answer, reading.confidence) == (None, None)
    assert not step_confidences(prompt)[0]


PIECES = st.lists(
    st.sampled_from(
        [
            "Confidence",
            "confidence of step 1",
            ":",
            "85",
            "0.6",
            "%",
            "G1",
            "P1",
            "\n",
            " ",
            "\\boxed{",
            "}",
            "-",
            "<think>",
            "*",
        ]
    ),
    max_size=30,
)


@given(PIECES.map("".join) | st.text(max_size=60))
@settings(max_examples=300)
def test_whatever_is_said_a_confidence_is_in_range_or_missing_with_a_reason(text: str) -> None:
    for read in (
        answer_and_confidence,
        answer_and_steps,
        top_guess,
        confidence_only,
        true_or_false,
    ):
        reading = read(text)
        assert reading.confidence is None or 0 <= reading.confidence <= 1
        assert (reading.confidence_status == "read") == (reading.confidence is not None)


@pytest.mark.parametrize(
    "piece",
    [
        "Confidence: ",
        "confidence ",
        "*",
        "G1: ",
        "P1: 0.",
        "Confidence (",
        "Confidence of step 1: 1",
        "\n>- *",
        "1 ",
    ],
)
def test_hostile_text_costs_little(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    began = time.process_time()  # not the clock of a busy machine
    for read in (answer_and_confidence, top_guess):
        read(text)
    answer_and_steps(text, score="product")
    assert time.process_time() - began < 10


@settings(max_examples=60)
@given(
    st.sampled_from(["Confidence", "My confidence", "Overall confidence", "Confidence level"]),
    st.sampled_from(["{}: {}", "**{}:** {}", "- {} = {}", "## {}\n: {}", "{} is {}", "{}:\n{}"]),
    st.integers(2, 100),
    st.sampled_from(["{}", "{}%", "{} percent", "{}/100", "{} out of 100", "about {}%", "**{}%**"]),
    st.sampled_from(["\\boxed{5}", "Answer: 5", "The answer is 5.", '{"answer": 5}']),
)
def test_a_confidence_is_read_beside_its_answer_in_every_form(
    name: str, form: str, number: int, scale: str, said: str
) -> None:
    reading = answer_and_confidence(f"{said}\n{form.format(name, scale.format(number))}")
    assert (reading.answer, reading.confidence, reading.reask) == ("5", number / 100, None)
