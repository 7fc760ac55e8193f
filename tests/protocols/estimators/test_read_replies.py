"""Estimators that let a local model read stored replies, with the toy and a tiny random model."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from agents import agent
from agents.simulated.questions import simulated_questions
from arena import Arena, Arm, Study
from arena.errors import StudyError
from arena.play.sync import run_blocking
from arena.score import Score
from arena.studies.study import Protocol
from arena.tournaments.stored_replies import StoredReply, StoredSamples
from arena.types import Message, Place, Request, Sampling
from protocols import laws
from protocols.estimators.attention_chain import attention_chain
from protocols.estimators.p_ik import FITTED, p_ik
from protocols.estimators.token_readouts import token_readouts
from protocols.scoring import score
from protocols.single import single
from tests.estimator_play import asked
from tests.stored_samples import reply, samples_of
from tests.tiny_models import tiny

TOY = agent("toy/sum")
ASKED = (Message("user", "37+48+25"),)


NOWHERE = Place("", "", 0, 0, "", 0)


def spoken(seed: int, place: int) -> StoredReply:
    """A reply of the toy as it is stored."""
    told = run_blocking(lambda: TOY.model(Request(ASKED, Sampling(temperature=1.0), seed, NOWHERE)))
    made = reply(told.text.rpartition("#")[2].rstrip("."), place, public=told.text)
    turn = replace(
        made.turn, token_ids=told.token_ids, model_served=told.model_served, measures=told.measures
    )
    return replace(made, turn=turn, messages=ASKED)


@pytest.fixture(scope="module")
def samples() -> StoredSamples:
    return samples_of("37+48+25", [spoken(1, 0), spoken(2, 1)], "toy/sum")


def by_name(scores: list[Score], place: int = 0) -> dict[str, Score]:
    return {score.name: score for score in scores if score.turn.seat == f"path{place}"}


def test_the_model_that_answered_finds_the_numbers_of_its_reply_again(
    samples: StoredSamples,
) -> None:
    scores, turns = asked(TOY, lambda e, seat: token_readouts(e, samples, seat), samples)
    for place, stored in enumerate(samples.replies):
        found = by_name(scores, place)
        measures = stored.turn.measures or {}
        expected = {
            "read_logprob_sum": measures["logprob_sum"],
            "read_logprob_mean": measures["logprob_mean"],
            "read_perplexity": -math.exp(-measures["logprob_mean"]),
            "read_entropy_mean": -measures["entropy_mean"],
            "read_self_certainty": measures["self_certainty_mean"],
        }
        values = {name: found[name].value for name in expected}
        assert values == pytest.approx(expected, abs=1e-4)
        details = found["read_answer_probability"].details
        assert details["context"] == "the prompt as it was sent"
        assert details["stored_share"] == 1.0
        assert details["answer"] == stored.turn.answer
    assert {turn["text"] for turn in turns} == {""}


def test_another_model_reads_question_and_public_words_alone_and_the_row_says_so(
    tmp_path: Path,
) -> None:
    other = agent(f"local/{tiny(tmp_path / 'reader')}?slots=1")
    hidden = replace(reply("12", public="It is 12."), messages=(Message("user", "a secret plan"),))
    none = reply(None, 1, public="no idea")
    samples = samples_of("How many?", [hidden, none], "openai/gpt-4o")
    scores, turns = asked(other, lambda e, seat: token_readouts(e, samples, seat), samples)
    first, second = by_name(scores), by_name(scores, 1)
    assert first["read_logprob_sum"].details == {
        "scorer": "local/reader",
        "context": "the question alone",
        "reply": "public words",
        "answer": "12",
        "tokens": first["read_logprob_sum"].details["tokens"],
        "stored_share": 0.0,
    }
    assert 0 < (first["read_answer_probability"].value or 0) <= 1
    assert (first["read_chow_quantile_0"].value or 0) <= (first["read_chow_quantile_50"].value or 0)
    # Without an answer, its probability alone is missing.
    assert second["read_logprob_mean"].value is not None
    assert second["read_answer_probability"].status == (
        "its answer does not stand in it to the letter"
    )
    assert "secret" not in str(turns)


def test_the_attention_chain_is_a_probability_with_its_parts(samples: StoredSamples) -> None:
    scores, turns = asked(TOY, lambda e, seat: attention_chain(e, samples, seat), samples)
    found = by_name(scores)
    assert len(found) == 7
    assert {score.kind for score in found.values()} == {"probability"}
    assert 0 <= (found["uqac"].value or 0) <= 1
    told = found["uqac"].details
    assert told["answer"] == samples.replies[0].turn.answer
    assert len(turns) == len(samples.replies)
    # The unchanged reply is one of the variants.
    assert (found["uqac_kept_product"].value or 0) <= float(str(told["sum"])) + 1e-6


def test_a_model_whose_attention_cannot_be_read_says_so(tmp_path: Path) -> None:
    other = agent(f"local/{tiny(tmp_path / 'alibi', 'alibi')}?slots=1")
    samples = samples_of("How many?", [reply("12", public="It is 12.")], "openai/gpt-4o")
    [first, *_], _ = asked(other, lambda e, seat: attention_chain(e, samples, seat), samples)
    assert first.value is None
    assert first.status.startswith("no attention: the attention of BloomForCausalLM")


def test_replies_to_one_prompt_share_the_features_of_its_state(samples: StoredSamples) -> None:
    later = replace(spoken(3, 2), messages=(Message("user", "11+22+33"),))
    three = samples_of("37+48+25", [*samples.replies, later], "toy/sum")
    scores, turns = asked(TOY, lambda e, seat: p_ik(e, three, seat), three)
    first, second, third = (score.details["features"] for score in scores)
    assert len(turns) == 2
    assert first == second != third
    assert isinstance(first, list)
    assert len(first) == 64
    assert {(score.value, score.status) for score in scores} == {(None, FITTED)}


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [token_readouts, p_ik])
def test_readings_obey_the_laws(protocol: Protocol, samples: StoredSamples) -> None:
    laws.check(protocol, {"scorer": TOY}, samples)


@pytest.mark.slow
def test_an_agent_that_is_no_local_model_is_refused_before_the_first_call(tmp_path: Path) -> None:
    who = agent("sim/solver")
    study = Study("s", [Arm("one", single, [{"solver": who}])], simulated_questions(1))
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(study).done == 1
    with pytest.raises(StudyError, match="uqac needs a model with readouts, which sim/solver has"):
        score("scores", study, ["uqac"])
