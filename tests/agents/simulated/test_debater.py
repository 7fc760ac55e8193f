"""The ratings of simulated debaters follow the parameters that were put in."""

from __future__ import annotations

import asyncio
import statistics

import pytest

from agents.simulated.debater import PROFILES, expected_confidence, simulated_debater
from arena.errors import StudyError
from arena.types import Message, Place, Reading, Request, Sampling
from protocols.debate import WORDINGS
from protocols.debate_prompts import Rating, rating_instructions
from protocols.parsing.tags import speech_and_confidence


def replies(profile: str, count: int = 4000, round: int = 0) -> list[Reading]:
    """Return the readings of `count` ratings of a round, each of an episode of its own."""
    model = simulated_debater(profile)

    async def all_of_them() -> list[Reading]:
        places = [Place(f"e{n}", "proposition", round, 0, "opening", round) for n in range(count)]
        requests = [
            Request((Message("user", "x"),), Sampling(), n, place) for n, place in enumerate(places)
        ]
        return [speech_and_confidence((await model(request)).text) for request in requests]

    return asyncio.run(all_of_them())


@pytest.mark.slow
@pytest.mark.parametrize("round", [0, 2])
@pytest.mark.parametrize(
    "profile",
    [
        *PROFILES,
        "even:bias=0.45:noise=0.3",
        "even:bias=-0.48:noise=0.02",
        "even:noise=0:debate_sd=0",
    ],
)
def test_the_expected_confidence_is_the_mean_of_what_is_printed(profile: str, round: int) -> None:
    ratings = [
        reading.confidence
        for reading in replies(profile, round=round)
        if reading.confidence is not None
    ]
    error = statistics.stdev(ratings) / len(ratings) ** 0.5
    assert abs(statistics.mean(ratings) - expected_confidence(profile, round)) <= 4 * error + 1e-12


def test_unreadable_replies_come_at_their_rate() -> None:
    missing = sum(reading.confidence is None for reading in replies("even:unreadable=0.3"))
    assert abs(missing / 4000 - 0.3) < 4 * (0.3 * 0.7 / 4000) ** 0.5


def test_both_sides_of_an_episode_share_its_level() -> None:
    model = simulated_debater("even:noise=0:debate_sd=0.2")

    async def rating(episode: str, seat: str) -> str:
        place = Place(episode, seat, 0, 0, "opening", 0)
        text = (await model(Request((), Sampling(), hash(seat) % 1000, place))).text
        return text[text.index("<rating>") :]

    ratings = [
        asyncio.run(rating(e, s)) for e in ("e1", "e2") for s in ("proposition", "opposition")
    ]
    assert ratings[0] == ratings[1] != ratings[2] == ratings[3]


def test_two_profiles_with_seeds_of_their_own_share_the_level_of_their_episode() -> None:
    first, second = (replies(f"even:noise=0:debate_sd=0.2:seed={seed}", 20) for seed in (1, 2))
    assert [a.confidence for a in first] == [b.confidence for b in second]


def test_a_low_rating_is_read_and_not_taken_for_another_scale() -> None:
    readings = replies("even:bias=-0.48:noise=0.02", 500)
    assert {reading.confidence_status for reading in readings} == {"read"}
    assert any(reading.confidence == 0.01 for reading in readings)


@pytest.mark.slow
def test_the_parameters_come_out_of_many_replies() -> None:
    profile = "even:bias=0.1:drift=0.05:noise=0.06:debate_sd=0.03"
    first, third = (
        [float(reading.confidence or 0) for reading in replies(profile, round=round)]
        for round in (0, 2)
    )
    error = (0.06**2 + 0.03**2) ** 0.5 / 4000**0.5
    assert abs(statistics.mean(first) - 0.6) < 4 * error
    assert abs(statistics.mean(third) - statistics.mean(first) - 0.1) < 4 * 2**0.5 * error
    assert abs(statistics.stdev(first) - (0.06**2 + 0.03**2) ** 0.5) < 0.003


def test_the_same_request_has_the_same_reply_and_the_seed_changes_it() -> None:
    assert replies("erratic", 20) == replies("erratic", 20)
    assert replies("erratic", 20) != replies("erratic:seed=1", 20)


def test_every_word_says_that_it_is_simulated() -> None:
    model = simulated_debater("overconfident:strength=1.5")
    reading = replies("overconfident:strength=1.5", 1)[0]
    assert model.simulated
    assert "no language model said this" in str(reading.public)
    assert "Its strength is 1.5 logits" in str(reading.public)


@pytest.mark.parametrize("wording", WORDINGS)
@pytest.mark.parametrize(
    ("rating", "ends_with"),
    [
        ("likelihood", "<rating>70%</rating>"),
        ("stake", "<rating>35%</rating>"),
        ("both", "<rating>70%</rating>"),
        ("scored", "<rating>70%</rating>"),
        ("win_and_lose", "<win>70%</win>\n<lose>40%</lose>"),
    ],
)
def test_every_form_of_rating_gets_the_number_that_was_planted(
    rating: Rating, ends_with: str, wording: str
) -> None:
    model = simulated_debater("even:bias=0.2:noise=0:debate_sd=0:stake=0.5:excess=0.1")
    asked = rating_instructions("opening", "private", rating, "plain", WORDINGS[wording])
    place = Place("e", "proposition", 0, 0, "opening", 0)
    for reask in ((), (Message("assistant", "x"), Message("user", "Once more."))):
        request = Request((Message("user", asked), *reask), Sampling(), 1, place)
        assert asyncio.run(model(request)).text.endswith(ends_with)


def test_a_reference_names_only_what_differs_from_its_profile() -> None:
    assert simulated_debater("confident").name == "sim/confident"
    assert simulated_debater("confident:drift=0.04").name == "sim/confident"
    assert (
        simulated_debater("confident:noise=0.1:bias=0.2").name
        == simulated_debater("confident:bias=0.2:noise=0.1").name
    )
    names = {
        simulated_debater(f"even:{setting}").name
        for setting in ("seed=10000001", "seed=10000002", "bias=0.12345671", "bias=0.12345672")
    }
    assert len(names) == 4


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("confidant", "did you mean 'confident'"),
        ("", "there is no simulated profile ''"),
        ("even:bais=0.1", "no parameter 'bais'"),
        ("even:bias=much", "needs a number, found 'much'"),
        ("even:bias", "needs a number"),
        ("even:noise=nan", "must lie between"),
        ("even:unreadable=2", "must lie between 0 and 1"),
        ("even:seed=0.5", "needs a number"),
        ("even:bias=0.1:bias=0.2", "given twice"),
    ],
)
def test_a_wrong_profile_says_what_there_is(profile: str, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        simulated_debater(profile)
