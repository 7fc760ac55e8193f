"""Self-familiarity: concepts, masks and combinations by hand, planted familiarity, forced words."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.scripted import scripted_model
from analysis.statistics.familiarity import familiarity_threshold
from arena.types import Agent, Reply, Request, Subject
from protocols.estimators import self_familiarity as estimators
from protocols.estimators.concepts import concepts_in, log_rarity, words_of
from tests.estimator_play import asked
from tests.question_agents import agent_with_capabilities
from tests.stored_samples import reply, samples_of

TEXT = "Who built the Hagia Sophia, and what is a pendentive? The Dome is famous."
SAMPLES = samples_of(TEXT, [reply("Isidore"), reply(None, 1)])


def test_concepts_are_runs_of_words_that_are_not_common() -> None:
    assert concepts_in(TEXT) == ["built", "Hagia Sophia", "pendentive", "Dome", "famous"]
    words = ["built", "famous", "hagia"]
    # A name is a concept whatever the list says; other words that it holds are none.
    assert concepts_in(TEXT, words) == ["Hagia Sophia", "pendentive", "Dome"]
    assert concepts_in(TEXT, words, common=1) == ["Hagia Sophia", "pendentive", "Dome", "famous"]
    assert concepts_in("What is it?") == []
    assert concepts_in("Blue whales and blue whales") == ["Blue whales"]


def test_rarity_is_that_of_the_paper_in_logarithms() -> None:
    """A word of rank 2 of 4, a capitalised and an unknown one."""
    words = ["water", "house", "dome", "arch"]
    assert log_rarity("dome", words) == pytest.approx(-2 / 100)
    assert log_rarity("Dome", words) == log_rarity("spandrel", words) == pytest.approx(-4 / 100)
    assert log_rarity("dome spandrel", words) == pytest.approx(-6 / 100)
    questions = [Subject("A dome", "question"), Subject("The dome?", "question", None, ("arch",))]
    assert words_of(questions) == ["dome", "a", "arch", "the"]


def test_the_three_combinations_are_those_of_the_published_example() -> None:
    assert estimators.combine([0.2, 0.6, 0.9]) == {
        "": pytest.approx(0.414286, abs=1e-6),
        "_min": 0.2,
        "_first": 0.2,
    }


def test_a_mask_hides_all_forms_and_long_words_of_a_concept() -> None:
    text = "The Hagia Sophia (hagia sophia) is a church. Sophia means wisdom; HAGIA stays."
    masked = estimators.mask(text, "Hagia Sophia")
    assert masked == "The ... (...) is a church. ... means wisdom; HAGIA stays."


def test_a_reply_names_a_concept_as_whole_words() -> None:
    assert estimators.names("It is the HAGIA  Sophia.", "Hagia Sophia")
    assert not estimators.names("Domestic", "Dome")
    assert not estimators.names("", "Dome")


def test_planted_familiarity_comes_back_as_shares_and_nothing_stored_is_shown() -> None:
    known = {"Hagia Sophia": 4, "pendentive": 1}
    requests: list[Request] = []

    def say(request: Request) -> str:
        requests.append(request)
        words = request.messages[-1].content
        if request.place.phase == "explain":
            return f"{next(c for c in known if repr(c) in words)} is a thing of {len(words)} parts."
        number, place = request.place.seat.removeprefix("recover").split("_")
        concept = list(known)[int(number)]
        assert concept not in words
        return f"It is the {concept}." if int(place) < known[concept] else "I cannot tell."

    scores, _ = asked(
        Agent("s", scripted_model(say)),
        lambda e, seat: estimators.self_familiarity_sampled(
            e, SAMPLES, seat, concepts={TEXT: list(known)}, replies=4
        ),
    )
    by_name = {(score.name, score.turn.seat): score.value for score in scores}
    weighted = (1.0 + 0.25 / 2) / 1.5
    for seat in ("path0", "path1"):
        assert by_name["self_familiarity_sampled", seat] == pytest.approx(weighted)
        assert by_name["self_familiarity_sampled_min", seat] == 0.25
        assert by_name["self_familiarity_sampled_first", seat] == 1.0
    assert scores[0].details["concepts"] == [["Hagia Sophia", 1.0], ["pendentive", 0.25]]
    assert {request.sampling.max_tokens for request in requests if "in one" in str(request)} == {
        100
    }
    assert all("Isidore" not in str(request.messages) for request in requests)


def test_the_forced_form_takes_the_best_place_and_form() -> None:
    """The words are likeliest in small letters after the third word: exp(-0.5)."""
    asked_for: list[tuple[str, str]] = []

    def say(request: Request) -> Reply:
        if request.place.phase == "explain":
            return Reply("A pendentive carries a dome.")
        if request.place.phase == "recover":
            return Reply("This is a kind of vault and more")
        [told] = request.sampling.readouts
        begin, end = map(int, told.removeprefix("tokens@").split(":"))
        text = request.messages[-1].content
        asked_for.append((text[:begin], text[begin:end]))
        best = text == "This is a pendentive"
        return Reply("", measures={"answer_logprob_mean": -0.5 if best else -3.0})

    who = agent_with_capabilities(say, "readouts", "prefill")
    scores, _ = asked(
        who,
        lambda e, seat: estimators.self_familiarity_forced(
            e, SAMPLES, seat, concepts={TEXT: ["Pendentive"]}, positions=4
        ),
    )
    assert scores[0].value == pytest.approx(math.exp(-0.5))
    assert {place for place, _ in asked_for} == {"", "This ", "This is ", "This is a "}
    assert {form for _, form in asked_for} == {"Pendentive", "pendentive"}
    plain = Agent("s", scripted_model(lambda request: "x"))
    with pytest.raises(AssertionError, match="take self_familiarity_sampled"):
        asked(plain, lambda e, seat: estimators.self_familiarity_forced(e, SAMPLES, seat))


def test_a_question_without_a_concept_and_a_silent_model_say_so() -> None:
    silent = Agent("s", scripted_model(lambda request: " "))
    nothing = samples_of("What is it?", [reply("5")])
    scores, _ = asked(silent, lambda e, seat: estimators.self_familiarity_sampled(e, nothing, seat))
    assert {(score.value, score.status) for score in scores} == {(None, estimators.NO_CONCEPT)}
    scores, _ = asked(silent, lambda e, seat: estimators.self_familiarity_sampled(e, SAMPLES, seat))
    status = "no explanation of 'built' could be read"
    assert {(score.value, score.status) for score in scores} == {(None, status)}


def test_the_threshold_is_the_middle_of_the_interval_of_the_fifth_percentile() -> None:
    common = np.random.default_rng(1).uniform(0.5, 1, 400)
    threshold = familiarity_threshold(common, resamples=999)
    assert threshold == pytest.approx(0.525, abs=0.01)
    assert threshold == familiarity_threshold(common, resamples=999)
    assert familiarity_threshold(np.full(9, 0.75)) == 0.75
    with pytest.raises(ValueError, match="needs two familiarities"):
        familiarity_threshold(np.array([0.5]))
