"""What a model knows against what a text or a peer says."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import cast

import pytest

from agents import agent
from agents.scripted import scripted_model
from agents.simulated.documents import simulated_documents
from agents.simulated.questions import simulated_questions
from agents.simulated.reasoner_truth import expected_weighing
from arena.errors import ProtocolError
from arena.play.episode import Episode
from arena.types import Agent, Request, Seat
from protocols import laws
from protocols.situated_faithfulness import Side, by_rule, situated_faithfulness, weigh
from protocols.weigh_peer import weigh_peer
from tests.in_memory import final_of, others_of, rows_of_play
from tests.played_accuracy import accuracy_of, answers_of
from tests.question_agents import QUESTION, Script, box

TEXT = "The usual value of this is five, says the text of a stranger."
TOLD = replace(QUESTION, passage=TEXT)


def believer(alone: tuple[object, int], told: tuple[object, int]) -> Script:
    """Who answers so, this sure in percent, alone and with the text."""

    def script(request: Request) -> str:
        answer, sure = told if TEXT in request.messages[0].content else alone
        return f"{box(answer)}\nConfidence: {sure}%"

    return script


def test_closed_and_direct_are_one_call_without_the_text_and_with_it() -> None:
    script = believer((4, 60), (5, 70))
    assert final_of(rows_of_play(situated_faithfulness, script, {"method": "closed"}, TOLD)) == (
        "4",
        True,
        None,
    )
    direct = rows_of_play(situated_faithfulness, script, {"method": "direct"}, TOLD)
    assert final_of(direct) == ("5", False, None)
    assert len(direct.rows("call_ends")) == 1


@pytest.mark.parametrize(
    "method", ["closed", "direct", "implicit", "explicit", "stated", "sampled"]
)
def test_nothing_is_asked_again_without_reask(method: str) -> None:
    options = {"method": method, "reask": False, "samples": 2}
    rows = rows_of_play(situated_faithfulness, lambda request: "I cannot tell.", options, TOLD)
    assert len(rows.rows("call_ends")) == len(rows.rows("turns"))


@pytest.mark.parametrize("method", ["implicit", "explicit"])
def test_it_weighs_its_own_answer_against_the_text_in_one_prompt(method: str) -> None:
    seen: list[str] = []

    def script(request: Request) -> str:
        seen.append(request.messages[0].content)
        return box("4}" if request.place.seat == "alone" else 4)

    rows = rows_of_play(situated_faithfulness, script, {"method": method}, TOLD)
    assert final_of(rows) == ("4", True, None)
    alone, decides = seen
    assert TEXT not in alone
    assert decides.index(TEXT) < decides.index("Your own answer, given without it, was \\boxed{")
    assert ("how sure you are of your own answer" in decides) == (method == "explicit")


@pytest.mark.parametrize(
    ("alone", "told", "threshold", "final"),
    [((4, 80), (5, 60), 0.0, "4"), ((4, 80), (5, 60), 0.3, "5"), ((4, 60), (5, 60), 0.0, "5")],
)
def test_by_the_rule_the_own_answer_wins_if_it_is_surer_by_more_than_the_threshold(
    alone: tuple[object, int], told: tuple[object, int], threshold: float, final: str
) -> None:
    options = {"method": "stated", "threshold": threshold}
    rows = rows_of_play(situated_faithfulness, believer(alone, told), options, TOLD)
    assert final_of(rows)[0] == final
    assert [row[:3] for row in others_of(rows)] == [("alone", 0, "4"), ("reader", 0, "5")]
    [given] = [row for row in rows.rows("answers") if row["final"]]
    assert given["confidence_source"] == "stated"


def test_samples_say_how_sure_each_side_is() -> None:
    def script(request: Request) -> str:
        seat = request.place.seat
        if seat.startswith("alone"):
            return box(4)
        return box(5 if seat.endswith(("0", "1")) else 6)

    rows = rows_of_play(situated_faithfulness, script, {"method": "sampled", "samples": 3}, TOLD)
    assert final_of(rows) == ("4", True, 1.0)
    assert len(rows.rows("call_ends")) == 6


def test_an_answer_without_a_confidence_cannot_win() -> None:
    own, other = (Side((), answer, 0.5) for answer in "45")
    assert by_rule(replace(own, confidence=None), other, -1.0) is other
    assert by_rule(own, replace(other, answer=None), 1.0) is own
    assert by_rule(replace(own, confidence=None), replace(other, answer=None), 0) is None
    mute = Seat("solver", Agent("s", scripted_model(believer((4, 1), (5, 1)))))
    nobody = cast(Episode, None)
    with pytest.raises(ProtocolError, match="gives no log probabilities"):
        asyncio.run(weigh(nobody, QUESTION, mute, [], "token", 1, 0.0, True))


def test_a_peers_reply_takes_the_place_of_the_text() -> None:
    seen: dict[str, str] = {}

    def script(request: Request) -> str:
        seen[request.place.seat] = request.messages[0].content
        return f"Because. {box({'peer': 5, 'alone': 4}.get(request.place.seat, 5))}"

    one = Agent("s", scripted_model(script))
    [rows] = answers_of(weigh_peer, {"solver": one, "peer": one}, [QUESTION], {})
    assert final_of(rows) == ("5", False, None)
    assert f"Because. {box(5)}" in seen["solver"]
    assert "Because" not in seen["alone"] + seen["peer"]
    [closed] = answers_of(
        weigh_peer, {"solver": one, "peer": one}, [QUESTION], {"method": "closed"}
    )
    assert len(closed.rows("call_ends")) == 1


NUMBER = 120
BOTH = {right: simulated_documents(NUMBER, right=right) for right in (True, False)}


def means(profile: str, method: str) -> tuple[float, float]:
    """The accuracy found and planted over right and wrong texts."""
    solver = agent(f"sim/{profile}")
    found = planted = 0.0
    for questions in BOTH.values():
        found += accuracy_of(situated_faithfulness, solver, questions, {"method": method}) / 2
        planted += expected_weighing(profile, questions, method) / 2
    return found, planted


@pytest.mark.slow
def test_who_reasons_well_does_better_by_itself_and_who_rates_well_does_better_by_a_rule() -> None:
    trusting = "reasoner:ability=1:shared=0:peer_weight=4"
    strong = f"{trusting}:implicit=0.8:explicit=0.95:noise=1"
    weak = f"{trusting}:implicit=0.5:explicit=0.5:discrimination=0.9:bias=0:noise=0"
    found = {}
    for name, profile in (("strong", strong), ("weak", weak)):
        for method in ("direct", "implicit", "explicit", "stated"):
            found[name, method], planted = means(profile, method)
            # With noise in its confidence a rule has no accuracy in closed form.
            if not math.isnan(planted):
                error = 0.5 / (2 * NUMBER) ** 0.5
                assert found[name, method] == pytest.approx(planted, abs=4 * error)
    # Both trust a text too much; weighing mends that where they can weigh, a rule where they rate.
    assert found["strong", "explicit"] > found["strong", "stated"] + 0.1
    assert found["strong", "explicit"] > found["strong", "direct"] + 0.1
    assert found["weak", "stated"] > found["weak", "explicit"] + 0.1


@pytest.mark.slow
def test_token_probabilities_follow_a_wrong_text_that_is_trusted() -> None:
    solver = agent("sim/reasoner:ability=1:shared=0:peer_weight=5")
    wrong = BOTH[False]
    alone = accuracy_of(situated_faithfulness, solver, wrong, {"method": "closed"})
    by_tokens = accuracy_of(situated_faithfulness, solver, wrong, {"method": "token"})
    by_samples = accuracy_of(situated_faithfulness, solver, wrong, {"method": "sampled"})
    assert by_tokens < alone - 0.2
    assert by_samples < alone


def test_situated_faithfulness_obeys_the_laws() -> None:
    def by_seed(request: Request) -> str:
        return f"I thought. {box(request.seed % 3)}\nConfidence: {request.seed % 100}%"

    one = Agent("s", scripted_model(by_seed))
    for method in ("direct", "explicit", "stated", "sampled"):
        options = {"method": method, "samples": 2}
        laws.check(situated_faithfulness, {"solver": one}, TOLD, options=options)
    laws.check(weigh_peer, {"solver": one, "peer": one}, simulated_questions(1)[0])
