"""Scoring is a study: stored replies are its subjects, estimators its protocols."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import agents
from agents.scripted import scripted_model
from agents.simulated.questions import simulated_questions
from arena import Agent, Arena, Arm, Study, run_stages
from arena.errors import ProtocolError, StudyError
from arena.play.results import check_result
from arena.score import Score
from arena.types import Answer, Request, Turn
from protocols import named
from protocols.estimators import HOME, estimator
from protocols.scoring import score
from protocols.single import single

SOLVER = agents.agent("sim/solver")
RATED = Study(
    "rated",
    [Arm("rated", named("confidence_elicitation"), [{"solver": SOLVER}])],
    simulated_questions(3),
)
TURN = Turn("e", "s", 0, "answer", 0, "words", "words")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with three rated answers and their scores."""
    path = tmp_path_factory.mktemp("scores") / "a.duckdb"
    scoring = score("scores", of=RATED, estimators=["stated_confidence", "length"])
    assert [each.open + each.failed for each in run_stages(Arena(path), [RATED, scoring])] == [0, 0]
    return path


def test_every_reply_gets_a_row_of_each_estimator(path: Path) -> None:
    rows = Arena(path).sql(
        "select s.name, count(*) as n, bool_and(s.value = case s.name when 'length'"
        " then -length(t.text) else t.confidence end) as same, any_value(s.kind) as kind"
        " from latest_scores s join turns t using (episode, seat, step)"
        " where scoring_study = 'scores' group by 1 order by 1"
    )
    assert rows.rows == (
        ("length", 3, True, "score"),
        ("stated_confidence", 3, True, "probability"),
    )


def test_a_scoring_that_is_done_plays_nothing_again(path: Path) -> None:
    stage = score("scores", of="rated", estimators=["length", "stated_confidence"])
    assert stage.count_episodes(path) == 6
    summary = run_stages(Arena(path), [stage])[0]
    assert (summary.done, summary.calls, summary.others) == (6, 0, 0)


@pytest.mark.parametrize("name", HOME)
def test_each_row_of_the_registry_leads_to_a_function(name: str) -> None:
    assert estimator(name).__name__ == HOME[name][1]
    assert named(HOME[name][1]) is estimator(name)


def test_an_unknown_estimator_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(StudyError, match=r"no estimator 'lenght'; did you mean length\?"):
        score("s", of="rated", estimators=["lenght"])


def nothing(request: Request) -> str:
    """A model that scores no options."""
    return ""


WORDS = Agent("words", scripted_model(nothing))
IN_WORDS = Study("in words", [Arm("a", single, [{"solver": WORDS}])], simulated_questions(1))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"estimators": ["read_perplexity"]}, r"^the estimator read_perplexity needs .* readouts"),
        ({"estimators": ["p_true"], "of": IN_WORDS}, r"with choices, which scripted/scripted has"),
        ({"estimators": ["p_true"], "scorers": {"a": WORDS}}, r"which scripted/scripted has not"),
        (
            {"estimators": [("critique", {"verdict": "scored"})], "scorers": {"a": WORDS}},
            r"critique needs a model with choices",
        ),
        ({"estimators": ["semantic_entropy"]}, r"^the estimator semantic_entropy .*'nli/[^;]*; of"),
        ({"estimators": ["text_similarity"]}, r"similarity=agents.agent\('similarity/"),
        ({"entailment": "sim/pairs"}, r"^entailment of score\(\) .*agents.agent\('sim/pairs'\)$"),
        ({"writer": nothing}, r"found function; make one with Agent\(name, .*scripted_model"),
        (
            {"scorers": {"a": WORDS.model}},
            r"scorers of score\(\) needs an Agent.*Agent\(name, model",
        ),
        ({"scorers": WORDS}, r"^scorers of score\(\) holds several agents, found Agent$"),
    ],
)
def test_what_cannot_score_is_refused_before_anything_is_played(
    given: dict[str, Any], says: str
) -> None:
    with pytest.raises(StudyError, match=says):
        score("s", **{"of": RATED, "estimators": ["length"], **given})


def test_what_some_agents_can_do_and_what_is_asked_in_words_is_not_refused() -> None:
    both = Study("both", [Arm("a", single, [{"solver": WORDS, "more": SOLVER}])], ())
    for name in ("p_true", "critique", "p_true_empirical"):
        of = both if name == "p_true" else IN_WORDS
        assert score("s", of, [name]).name == "s"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda: Score(TURN, "n", None), r"says why in its status"),
        (lambda: Score(TURN, "n", 0.5, status="missing"), r"says why in its status"),
        (lambda: Score(TURN, "n", math.nan), r"it is finite"),
        (lambda: Score(TURN, "n", 1.5, "probability"), r"lies in \[0, 1\]"),
        (lambda: Score(TURN, "n", 1.5, samples=0), r"at least one stored reply"),
        (lambda: Score(TURN, "n", 1, details={"x": TURN.text}), r"cannot be stored as JSON"),
        (lambda: [Score(TURN, "n", 1.0)] * 2, r"2 scores 'n' of step 0 of s"),
        (lambda: Score(TURN, "n", 1.0, samples=2**31), r"Score 'n' of .* samples does not fit"),
        (lambda: Score(TURN, "n", 10**400), r"Score 'n' of .* number is too large"),
        (lambda: Score(TURN, "n", -(10**400)), r"Score 'n' of .* number is too large"),
        (lambda: Score(TURN, "n\ud800", 1.0), r"all printable"),
        (lambda: Score(TURN, "two\nlines", 1.0), r"all printable"),
        (lambda: Score(TURN, "n" * 201, 1.0), r"has 201 characters; give one of 1 to 200"),
        (lambda: Score(TURN, " ", 1.0), r"give one of 1 to 200"),
        (lambda: Score(TURN, "n", None, status=" "), r"Score 'n' of .* an empty status"),
        (lambda: Answer("s", "4"), r"where nobody sat; the episode has no seats"),
        (lambda: Answer("s", "4", stage=2**31), r"stage does not fit"),
        (lambda: Answer("s", "4", confidence=Fraction(10**400)), r"number is too large"),
    ],
)
def test_a_score_that_cannot_be_stored_is_refused(change: Callable[[], object], says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        check_result("p", change(), ())


def test_a_whole_number_of_more_than_64_bits_is_stored_as_a_value_like_any_other() -> None:
    checked = check_result("p", Score(TURN, "n", 2**70), ())
    assert checked == [Score(TURN, "n", 2.0**70)]
    assert isinstance(checked[0].value, float)


def test_numbers_of_numpy_become_plain_ones() -> None:
    given: dict[str, Any] = {"value": np.float32(0.5), "samples": np.int64(2)}
    found = check_result("p", replace(Score(TURN, "n", 1.0), **given), ())
    assert isinstance(found, list)
    assert isinstance(found[0], Score)
    assert (type(found[0].value), type(found[0].samples)) == (float, int)
