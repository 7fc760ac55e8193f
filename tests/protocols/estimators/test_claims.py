"""CCP of stored speeches, against lm-polygraph's numbers (test_token_formulas.py) and by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from math import exp

import orjson
import pytest

from agents.scripted import scripted_model
from arena.play.episode import Episode
from arena.reply import Alternative, TokenChoice
from arena.score import Score
from arena.types import Agent, Request, Seat
from protocols.estimators.claim_spans import is_content, quoted_spans, sentences
from protocols.estimators.claims import ccp, ccp_of_claims, claim_probabilities
from tests.estimator_play import asked
from tests.stored_samples import reply, samples_of

# Labels 0 entails, 1 neutral, 2 contradicts; what is not listed is neutral.
LABELS = {
    **{("Paris", "Lyon"): 2, ("Lyon", "Paris"): 2, ("Nice", "Paris"): 0, ("Paris", "Rome"): 0},
    **{("big", "large"): 0, ("big", "small"): 2, ("small", "big"): 2},
}
PLACE = 0.8439538337526394
SIZE = 0.8106678055477147
SPEECH = "Paris is big. It sleeps."


def token(word: str, logprob: float, **others: float) -> TokenChoice:
    """A token with its alternatives."""
    alternatives = {word: logprob, **{f" {other}": each for other, each in others.items()}}
    return TokenChoice(
        word, logprob, tuple(Alternative(each, value) for each, value in alternatives.items())
    )


SPOKEN = reply(
    None,
    public=SPEECH,
    logprobs=(
        token("Paris", -0.3, Lyon=-1.9, Nice=-3.0, Rome=-4.0),
        token(" is", -0.1, was=-2.5),
        token(" big", -0.9, large=-1.2, small=-1.8),
        token(".", -0.2),
        token(" It", -0.4),
        token(" sleeps", -0.5, wakes=-0.7),
        token(".", -0.1),
    ),
)
SAMPLES = samples_of("Is it so?", [SPOKEN, reply(None, 1, public="No tokens.")])


def judge(request: Request) -> str:
    """A model of entailment that knows LABELS, and claims that begin as its words do."""
    words = request.messages[-1].content
    if not words.startswith("{"):
        # The text stands between two lines with a code that its author did not know.
        assert re.search(rf"\n\[(\w{{8}})\] Reply\n{re.escape(SPEECH)}\n\[\1\] End", words)
        return '- "Paris is   big"\n- Paris is small\n- it sleeps\n\n2) "it sleeps."'
    pairs = orjson.loads(words)["pairs"]
    labels = [
        LABELS.get(tuple(text.rpartition(" ")[2] for text in pair), 1)  # type: ignore[call-overload]
        for pair in pairs
    ]
    rows = [[float(label == each) for each in range(3)] for label in labels]
    return orjson.dumps({"probabilities": rows}).decode()


NLI = Agent(
    "nli",
    replace(scripted_model(judge), capabilities=frozenset({"pairs"})),  # type: ignore[type-var]
)


def named(scores: list[Score], name: str) -> Score:
    """The score of the first reply by one estimator."""
    return next(score for score in scores if score.name == name)


@pytest.mark.parametrize("context", ["token", "claim"])
def test_ccp_of_a_speech_is_that_of_lm_polygraph(context: str) -> None:
    scores, turns = asked(
        NLI,
        lambda episode, seat: ccp(episode, SAMPLES, seat, context=context),  # type: ignore[arg-type]
    )
    whole, weakest = named(scores, "ccp"), named(scores, "ccp_weakest")
    assert whole.value == pytest.approx(PLACE * SIZE)
    assert weakest.value == pytest.approx(PLACE * SIZE)
    first, second = weakest.details["claims"]  # type: ignore[misc]
    assert (first["claim"], first["ccp"]) == ("Paris is big.", pytest.approx(PLACE * SIZE))
    # "sleeps" has a neutral alternative, which does not count.
    assert (second["claim"], second["ccp"], second["tokens"]) == ("It sleeps.", 1, 3)
    assert whole.details["truncated"] == "2 alternatives stored in place of 10"
    assert "no log probabilities" in scores[1].status
    assert whole.samples == 1
    assert len(turns) == 1


def test_fewer_alternatives_that_were_asked_for_are_not_truncated() -> None:
    """Of "big" the drawn one and "large" are left, which entails it: certain."""
    scores, _ = asked(NLI, lambda episode, seat: ccp(episode, SAMPLES, seat, alternatives=2))
    whole = named(scores, "ccp")
    assert whole.value == pytest.approx(exp(-0.3) / (exp(-0.3) + exp(-1.9)))
    assert "truncated" not in whole.details


def test_claims_that_an_agent_quotes_are_aligned_by_their_words() -> None:
    async def both(episode: Episode, seat: Seat) -> list[Score]:
        return await ccp_of_claims(episode, SAMPLES, Seat("scorer", seat.agent), seat)

    scores, turns = asked(NLI, both, SAMPLES)
    weakest = named(scores, "ccp_of_claims_weakest")
    rows = weakest.details["claims"]
    assert [row["claim"] for row in rows] == ["Paris is big", "It sleeps"]  # type: ignore[attr-defined]
    assert weakest.details["claims_not_found"] == 1
    assert weakest.value == pytest.approx(PLACE * SIZE)
    # One call for the claims of the only reply with tokens, one for all entailments.
    assert len(turns) == 2


def test_plain_probabilities_of_claims_need_no_call() -> None:
    scores, turns = asked(NLI, lambda episode, seat: claim_probabilities(episode, SAMPLES))
    assert turns == []
    assert named(scores, "claim_probability_weakest").value == pytest.approx(exp(-1.5))
    assert named(scores, "claim_logprob_weakest").value == pytest.approx(-0.375)


def test_tokens_without_alternatives_say_so() -> None:
    bare = replace(
        SPOKEN, logprobs=tuple(replace(each, alternatives=()) for each in SPOKEN.logprobs or ())
    )
    scores, _ = asked(NLI, lambda episode, seat: ccp(episode, samples_of("?", [bare]), seat))
    assert {score.value for score in scores} == {None}
    assert "logprobs=10" in scores[0].status


def test_sentences_are_cut_after_their_marks_and_not_in_numbers() -> None:
    text = 'It costs 3.5 euros. "Really?" Yes!\n- a list\n\n...'
    assert [text[start:end] for start, end in sentences(text)] == [
        "It costs 3.5 euros.",
        '"Really?',
        "Yes!",
        "- a list",
    ]


@pytest.mark.parametrize(
    "line", ["1984 was dry", "2) 1984 was dry.", '- "1984 was  dry"', "> 1984 WAS dry"]
)
def test_a_quoted_claim_is_found_behind_the_marks_of_a_list(line: str) -> None:
    text = "I say: 1984 was dry."
    spans, unfound = quoted_spans(text, line)
    assert ([text[start:end] for start, end in spans], unfound) == (["1984 was dry"], 0)


@pytest.mark.parametrize(
    ("word", "counts"),
    [(" the", False), ("Don’t", False), (" —", False), ("5", True), (" Rome,", True)],
)
def test_stop_words_are_found_whatever_stands_around_them(word: str, counts: bool) -> None:
    assert is_content(word) is counts
