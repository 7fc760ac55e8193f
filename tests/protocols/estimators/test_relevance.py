"""SAR of stored replies, against lm-polygraph's numbers (test_token_formulas.py) and by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import orjson
import pytest

from agents.scripted import scripted_model
from arena.types import Agent, Request
from protocols.estimators.relevance import relevance, relevance_every
from protocols.estimators.reply_tokens import tokens_of
from tests.estimator_play import asked
from tests.protocols.estimators.test_token_formulas import LOGPROBS, NEAR, SIMILARITY
from tests.stored_samples import reply, samples_of, tokens

QUESTION = "Where?"
TEXTS = (("It", " is", " here"), ("Not", " there"), ("Over", " there", " by", " me"))
WHOLE = tuple("".join(words) for words in TEXTS)


def likeness(request: Request) -> str:
    """A model of similarity that reads the numbers of the formulas' test."""
    content = orjson.loads(request.messages[-1].content)
    if "pairs" in content:
        places = [
            [WHOLE.index(text.removeprefix(f"{QUESTION} ")) for text in pair]
            for pair in content["pairs"]
        ]
        return orjson.dumps({"similarity": [float(SIMILARITY[i, j]) for i, j in places]}).decode()
    place = WHOLE.index(content["text"].removeprefix(f"{QUESTION} "))
    assert content["text"][slice(*content["without"][0])] == TEXTS[place][0]
    return orjson.dumps({"similarity": NEAR[place].tolist()}).decode()


def model_of(script: object) -> Agent:
    """An agent of similarity with this script."""
    model = replace(scripted_model(script), capabilities=frozenset({"pairs"}))  # type: ignore[arg-type,type-var]
    return Agent("likeness", model)


def test_sar_of_replies_is_that_of_lm_polygraph() -> None:
    replies = [
        reply(
            "x", k, public=WHOLE[k], logprobs=tokens(*zip(words, LOGPROBS[k].tolist(), strict=True))
        )
        for k, words in enumerate(TEXTS)
    ]
    # A mark of the end is no public word, and so is what was thought before them.
    last = replies[2].logprobs or ()
    replies[2] = replace(
        replies[2], logprobs=(*tokens(("Over", -9.0)), *last, *tokens(("</s>", -5.0)))
    )
    scores, turns = asked(
        model_of(likeness),
        lambda episode, seat: relevance(episode, samples_of(QUESTION, replies), seat),
    )
    found: Mapping[str, list[float | None]] = {
        name: [score.value for score in scores if score.name == name]
        for name in dict.fromkeys(score.name for score in scores)
    }
    by_token = [-1.88666667, -1.18380282, -1.99518072]
    assert found["token_sar"] == pytest.approx(by_token)
    assert found["token_sar_mean"] == pytest.approx([sum(by_token) / 3] * 3)
    assert found["sentence_sar"] == pytest.approx([4.650101755725785] * 3)
    assert found["sar"] == pytest.approx([5.210143518905494] * 3)
    assert sum(each or 0 for each in found["sar_reply"]) / 3 == pytest.approx(5.210143518905494)
    assert len(turns) == 4


def test_every_place_of_a_token_goes_at_once_in_the_authors_form() -> None:
    """Without "no" nothing is left of "no, no": all the more relevant than one of the two."""

    def kept(request: Request) -> str:
        content = orjson.loads(request.messages[-1].content)
        if "pairs" in content:
            return orjson.dumps(
                {"similarity": [len(short) / len(text) for text, short in content["pairs"]]}
            ).decode()
        size = len(content["text"])
        left = [(size - end + start) / size for start, end in content["without"]]
        return orjson.dumps({"similarity": left}).decode()

    words = tokens(("no", -1.0), (", ", -2.0), ("no", -3.0))
    samples = samples_of(QUESTION, [reply("x", public="no, no", logprobs=words)])

    def first(protocol: object) -> float | None:
        scores, _ = asked(
            model_of(kept),
            lambda episode, seat: protocol(episode, samples, seat, with_question=False),  # type: ignore[operator]
        )
        assert [score.value for score in scores[1:]] == [None] * 5
        value: float | None = scores[0].value
        return value

    # Relevances 2, 2, 2 of 6 characters, and 4, 2, 4.
    assert first(relevance) == pytest.approx(-2)
    assert first(relevance_every) == pytest.approx(-(4 * 1 + 2 * 2 + 4 * 3) / 10)


@pytest.mark.parametrize(
    ("words", "public", "reason"),
    [
        ((), "Paris", "no log probabilities"),
        ((("Lyon", -1.0),), "Paris", "do not spell"),
        ((("Paris", -1.0),), "", "no readable speech"),
    ],
)
def test_a_reply_without_tokens_for_its_words_says_why(
    words: tuple[tuple[str, float], ...], public: str, reason: str
) -> None:
    found = tokens_of(reply("x", public=public, logprobs=tokens(*words) or None))
    assert isinstance(found, str)
    assert reason in found


def test_tokens_of_the_answer_are_those_where_it_stands_last() -> None:
    words = tokens(("57? No: \\", -1.0), ("boxed{", -2.0), ("5", -3.0), ("7}", -4.0))
    found = tokens_of(reply("57", public="57? No: \\boxed{57}", logprobs=words), "answer")
    assert not isinstance(found, str)
    assert (found.text, found.spans, found.logprobs.tolist()) == ("57", ((0, 1), (1, 2)), [-3, -4])
