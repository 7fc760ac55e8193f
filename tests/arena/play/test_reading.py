"""What a reader is given, what it may not decide, and what counts as unreadable."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.scripted import scripted_model
from arena.errors import ProtocolError, StudyError
from arena.play.episode import Episode
from arena.play.reading import (
    LONG_REPLY,
    check_reader,
    fill_gaps,
    is_of,
    read_as_public,
    read_off_loop,
    read_reply,
    text_only,
    unfinished_reason,
)
from arena.play.reasoning import part_reasoning
from arena.play.run import Arena
from arena.studies.study import Arm, Study
from arena.types import Agent, Reading, Reply, Request, Seat, Subject
from protocols.debate import debate
from protocols.parsing.tags import speech_and_confidence


def text_reader(text: str) -> Reading:
    return Reading(text.upper(), answer=text[:1], confidence=0.5, confidence_status="read")


def reply_reader(reply: Reply) -> Reading:
    return Reading(reply.text, answer=reply.finish_reason)


class Reads:
    """A reader with a parameter of its own, as an object."""

    def __call__(self, reply: Reply) -> Reading:
        return Reading(reply.text)


@pytest.mark.parametrize(
    "read",
    [
        text_reader,
        partial(lambda more, text: Reading(text.strip() + more), "!"),
        lambda text: Reading(text.upper()),
        lambda text: Reading(text),
        lambda words: text_reader(words),
    ],
)
def test_a_reader_that_takes_text_is_wrapped_and_told_the_remedy(
    read: Callable[[Any], Reading],
) -> None:
    with pytest.warns(DeprecationWarning, match=r"read=text_only\("):
        wrapped = check_reader(read)
    assert read_reply(wrapped, Reply("<think>no</think>yes"), "s").public is not None
    assert "no" not in str(read_reply(wrapped, Reply("<think>no</think>yes"), "s").public)


@pytest.mark.parametrize(
    "read", [reply_reader, lambda reply: Reading(reply.text), Reads(), text_only(text_reader)]
)
def test_a_reader_that_takes_the_reply_is_left_alone(read: Callable[[Any], Reading]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_reader(read) is read


@pytest.mark.parametrize(
    "read", [lambda: Reading(""), lambda reply: reply.words, lambda reply: 5, lambda a, b: a]
)
def test_a_reader_that_can_read_nothing_is_refused_before_anything_is_asked(
    tmp_path: Path, read: Callable[[Any], Reading]
) -> None:
    async def speak(episode: Episode, motion: Subject, speaker: Seat) -> None:
        await episode.ask(speaker, "p", phase="x", read=read)

    made = Study("s", [Arm("a", speak, [{"speaker": Agent("m", scripted_model(str))}])], [MOTION])
    arena = Arena(tmp_path / "a.duckdb")
    with pytest.raises(StudyError, match=r"nothing was asked: the reader .* text_only"):
        arena.run(made)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProtocolError, match="takes a Reply"):
        check_reader(read)


VERSION = "1"
MOTION = Subject("This house would test.")


@pytest.mark.parametrize(
    "word", ["content_filter", "SAFETY", "refusal", "error", "guardrail_intervened"]
)
def test_no_reader_can_make_a_vote_of_what_was_not_meant(word: str) -> None:
    def read(reply: Reply) -> Reading:
        return Reading(reply.text, confidence=0.9, confidence_status="read", answer="4")

    reply = Reply("4", finish_reason=word)
    reading = read_reply(read, reply, "s")
    reason = unfinished_reason(reply)
    assert (reading.answer, reading.confidence, reading.public) == (None, None, "4")
    assert reason is not None
    assert (reading.flags, reading.confidence_status) == ((reason,), reason)
    cut = read_reply(text_only(text_reader), Reply("4", finish_reason="length"), "s")
    assert (cut.answer, cut.confidence, cut.flags) == (None, None, ("cut off",))


ENDINGS = {
    "cut off": (
        "length MAX_TOKENS max_output_tokens incomplete model_length abort maxTokens max-tokens"
        " model_context_window_exceeded FINISH_REASON_MAX_TOKENS FinishReason.MAX_TOKENS"
        " REASON_MAX_LEN max_completion_tokens ERROR_LIMIT TIMEOUT time_limit token_limit"
        " not_finished in_progress pause_turn"
    ),
    "filtered": (
        "content_filter content-filter content_filtered ContentFilter guardrail_intervened SAFETY"
        " RECITATION blocklist prohibited_content FINISH_REASON_SAFETY spii image_safety"
        " ERROR_TOXIC sensitive model_armor language content_policy_violation"
    ),
    "refused": "refusal refused",
    "failed": (
        "error ERROR failed cancelled USER_CANCEL insufficient_system_resource OTHER"
        " malformed_response MALFORMED_FUNCTION_CALL unexpected_tool_call"
    ),
    None: (
        "stop STOP FINISH_REASON_STOP end_turn stop_sequence eos eos_token complete completed"
        " COMPLETE tool_calls tool_use function_call scored options done finished"
        " FINISH_REASON_UNSPECIFIED"
    ),
}


@pytest.mark.parametrize(
    ("word", "reason"),
    [(word, reason) for reason, words in ENDINGS.items() for word in words.split()],
)
def test_the_words_of_providers_tell_how_a_reply_ended(word: str, reason: str | None) -> None:
    assert unfinished_reason(Reply("", finish_reason=word)) == reason


def test_a_reply_without_a_word_is_finished() -> None:
    assert unfinished_reason(Reply("", finish_reason=None)) is None


def test_reasoning_in_the_text_is_public_for_nobody() -> None:
    assert read_as_public(Reply("<think>no</think> yes")).public == "yes"
    assert read_as_public(Reply("<think>no")).public is None
    assert read_as_public(Reply("as it is \n")).public == "as it is \n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<think>a</think>b", "b"),
        ("a</think>b", "b"),
        ("b<think>a", "b"),
        ("<thinking>a</thinking>b<think>c</think>d", "d"),
        ("[THINK]a[/THINK]b", "b"),
        ("◁think▷a◁/think▷b", "b"),
        ("<|begin_of_thought|>a<|end_of_thought|>b", "b"),
        ("<|channel|>analysis<|message|>a<|end|><|channel|>final<|message|>b<|return|>", "b"),
        ("<|channel|>commentary<|message|>a", ""),
        ("analysisWe do a.assistantfinalb", "b"),
        ("&lt;think&gt;a&lt;/think&gt;b", "b"),
        ("<think effort='low'>a</think >b", "b"),
        ("Here is my thought process: a. Here is my response: b", "b"),
        ("I say: here is my response: b", "I say: here is my response: b"),
        ("b. Here is my response: c. Here is my thought process: a", "b. Here is my response: c."),
        ("[Reasoning]\na\n[Answer]\nb", "[Reasoning]\na\n[Answer]\nb"),
        ("[Reasoning]a[/Reasoning]b", "b"),
        ("[Private thoughts]\na\n[Answer]\nb", "[Private thoughts]\na\n[Answer]\nb"),
        ("[Reflection]a[/Reflection]b", "b"),
        ("<thinking-process>a</thinking-process>b", "b"),
        ("<reasoning>a", ""),
        ("[THINK]a", ""),
        ("I think that a > b [1]", "I think that a > b [1]"),
        ("Analysis of thinking: none", "Analysis of thinking: none"),
    ],
)
def test_reasoning_is_parted_in_the_marks_of_every_family(text: str, words: str) -> None:
    parted = part_reasoning(text)
    assert parted.words == words
    assert (parted.reasoning is None) == (words == text)


def test_a_long_reply_is_read_in_a_thread() -> None:
    import threading

    def read(reply: Reply) -> Reading:
        return Reading(None, threading.current_thread().name)

    async def both() -> tuple[Reading, Reading]:
        short = await read_off_loop(read, Reply("x"), "s")
        return short, await read_off_loop(read, Reply("x" * LONG_REPLY), "s")

    short, long = asyncio.run(both())
    assert short.thoughts == threading.current_thread().name != long.thoughts


def test_a_second_reply_that_gives_what_was_asked_for_completes_the_reading() -> None:
    first = speech_and_confidence("<speech>s</speech>")
    rating = speech_and_confidence("<rating>80</rating>")
    assert rating.reask is not None
    assert fill_gaps(first, rating).missing == ()
    assert fill_gaps(first, speech_and_confidence("<speech>t</speech>")).missing == ("confidence",)
    # A reader that does not say what is missing is judged by what it left empty.
    unread = Reading("s", confidence_status="no number", reask="?")
    assert fill_gaps(unread, Reading(None, confidence=0.8, reask="?")).missing == ()
    assert fill_gaps(unread, Reading("x", reask="?")).missing == ("confidence",)


@pytest.mark.slow
def test_the_counts_of_unreadable_turns_are_those_of_the_merged_readings(tmp_path: Path) -> None:
    """One side gives only what it is asked for again, the other never a rating."""

    def reply(request: Request) -> str:
        if request.place.ask:
            return "<rating>80</rating>" if request.place.seat == "proposition" else "Why?"
        return "<speech>s</speech>"

    agent = Agent("m", scripted_model(reply))
    lineup = {"proposition": agent, "opposition": agent}
    arena = Arena(tmp_path / "a.duckdb")
    lines: list[int] = []
    summary = arena.run(
        Study("s", [Arm("a", debate, [lineup])], [MOTION]),
        watch=lambda stats: lines.append(stats.unreadable),
    )
    unreadable = "confidence is null or public is null"
    ((stored,),) = arena.sql(f"select count(*) from turns where {unreadable}").rows
    assert (lines[-1], summary.unreadable, stored) == (3, 3, 3)
    assert len(arena.sql("from calls")) == 12


def test_a_wrong_reader_is_refused_before_the_first_call_to_a_model_that_costs(
    tmp_path: Path,
) -> None:
    asked: list[Request] = []

    def reply(request: Request) -> str:
        asked.append(request)
        return "words"

    async def speak(episode: Episode, motion: Subject, speaker: Seat) -> None:
        await episode.ask(speaker, "p", phase="x")
        await episode.ask(speaker, "q", phase="y", read=lambda reply: Reading(reply.words))  # type: ignore[attr-defined]  # the mistake

    model = replace(scripted_model(reply, name="paid"), simulated=False)  # type: ignore[type-var]
    made = Study("s", [Arm("a", speak, [{"speaker": Agent("m", model)}])], [MOTION])
    with pytest.raises(StudyError, match="nothing was asked: the reader"):
        Arena(tmp_path / "a.duckdb").run(made)
    assert asked == []


MARKS = [
    *(
        "<{}>",
        "[{}]",
        "<|{}|>",
        "◁{}▷",
        "&lt;{}&gt;",
        "＜{}＞",
        "< {} >",
        "«{}»",
        "\\u003c{}\\u003e",
    ),
    *("<seed:{}>", "<{} a='b'>", "⟨{}⟩", "&#60;{}&#62;"),
]
NAMES = [
    *("think", "thinking", "reasoning", "thought", "thoughts", "scratchpad", "chain_of_thought"),
    *("inner_monologue", "private_thoughts", "antthinking"),
]
WORDS = st.text(alphabet="abc 4.,:\n\\boxed{}$", max_size=20)


@settings(max_examples=60)
@given(
    st.sampled_from(MARKS),
    st.sampled_from(NAMES),
    st.sampled_from([str.lower, str.upper, str.title]),
    WORDS,
    WORDS,
)
def test_reasoning_in_any_marks_is_parted_whole(
    mark: str, name: str, case: Callable[[str], str], thought: str, words: str
) -> None:
    opening, closing = mark.format(case(name)), mark.format("/" + case(name))
    for text in (f"{opening}{thought}{closing}{words}", f"{thought}{closing}{words}"):
        parted = part_reasoning(text)
        assert (parted.words, parted.inside, parted.is_open) == (
            words.strip(),
            thought.strip(),
            False,
        )
    # A heading in square brackets opens nothing.
    if mark != "[{}]" or name.startswith("think"):
        parted = part_reasoning(f"{words}{opening}{thought}")
        assert (parted.words, parted.inside, parted.is_open) == (words.strip(), thought, True)


@settings(max_examples=60)
@given(
    st.sampled_from(
        [(word, reason) for reason, words in ENDINGS.items() for word in words.split()]
    ),
    st.sampled_from(["", "FINISH_REASON_", "FinishReason.", "finish-reason-", "Candidate.Reason."]),
    st.sampled_from(["_", "-", " "]),
    st.sampled_from([str, str.lower, str.upper]),
)
def test_how_a_reply_ended_is_told_in_any_spelling(
    ending: tuple[str, str | None], prefix: str, gap: str, case: Callable[[str], str]
) -> None:
    word, reason = ending
    # Small letters hide where a word in camel case has its parts.
    if case is str or word in (word.lower(), word.upper()):
        spelt = prefix + case(word.rpartition(".")[2]).replace("_", gap)
        assert unfinished_reason(Reply("", finish_reason=spelt)) == reason


def test_words_after_a_part_that_was_left_out_may_be_latex() -> None:
    text = "So it is\nConfidence: 80%\n\\boxed{4}, by \\frac{8}{2}."
    public = text.replace("Confidence: 80%\n", "")
    assert is_of(public, Reply(text))
    assert not is_of("So it is \\boxed{5}", Reply(text))
