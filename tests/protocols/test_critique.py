"""Critiques of stored replies, and votes that check themselves."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import mean

import pytest

from agents import agent
from agents.scripted import scripted_model
from agents.simulated.questions import simulated_questions
from agents.simulated.solver import chances, solver_profile
from agents.simulated.truth import expected_majority
from agents.simulated.truth import parse_questions as parsed
from analysis.reports.assessments import read_assessments
from arena import Arena, Arm, Study
from arena.errors import ProtocolError
from arena.tournaments.stored_replies import StoredReply, StoredSamples
from arena.types import Agent, Reply, Request, Seat, Turn
from protocols import laws
from protocols.critique import certainty_of, check_scorer, critique, self_check
from tests.in_memory import final_of, others_of, rows_of_play
from tests.option_agents import scorer
from tests.played_accuracy import accuracy_of
from tests.question_agents import QUESTION, Script, box

SAID = "secret thought"


def stored(seat: str, words: str, canonical: str | None) -> StoredReply:
    turn = Turn("e", seat, 0, "answer", 0, f"<think>{SAID}</think>{words}", words, SAID, 0.83)
    return StoredReply(turn, canonical, 0.83, None, None, ())


REPLIES = (stored("path0", box(4), "4"), stored("path1", box(5), "5"), stored("path2", "?", None))
SAMPLES = StoredSamples(
    "replies",
    "replies",
    question=QUESTION,
    replies=REPLIES,
    turns=tuple(reply.turn for reply in REPLIES),
)


def judge(request: Request) -> str:
    """A critic that knows sums."""
    return f"I looked.\nVerdict: {'right' if box(4) in request.messages[0].content else 'wrong'}"


def scores_of(agent: Agent, options: dict[str, object]) -> list[tuple[object, ...]]:
    """(seat, value, kind, status) of the scores."""
    rows = rows_of_play(critique, agent, options, SAMPLES, seat="scorer").rows("scores")
    return [tuple(row[name] for name in ("seat", "value", "kind", "status")) for row in rows]


def test_each_reply_with_an_answer_is_judged_by_its_public_face() -> None:
    seen: list[Request] = []

    def script(request: Request) -> str:
        seen.append(request)
        return judge(request)

    scores = scores_of(Agent("c", scripted_model(script)), {})
    assert scores == [
        ("path0", 1.0, "score", "scored"),
        ("path1", 0.0, "score", "scored"),
        ("path2", None, "score", "no answer to judge"),
    ]
    for request in seen:
        [message] = request.messages
        assert "Verdict: wrong\n" in message.content
        assert SAID not in message.content
        assert "83" not in message.content


def test_a_verdict_that_is_scored_is_a_probability_after_the_analysis() -> None:
    def script(request: Request) -> Reply:
        choices = request.sampling.choices
        if not choices:
            return Reply("The sum holds. ", finish_reason="stop")
        assert request.messages[-1].content == "The sum holds. Verdict:"
        share = {
            f"probability of {one}": each for one, each in zip(choices, (0.9, 0.1), strict=True)
        }
        return Reply(choices[0], finish_reason="options", measures=share)

    scores = scores_of(scorer(script), {"verdict": "scored", "shots": 0})
    assert scores[0] == ("path0", 0.9, "probability", "scored")
    with pytest.raises(ProtocolError, match="has no choices: its verdict"):
        check_scorer(Seat("scorer", Agent("c", scripted_model(judge, "c"))))


def talk(*answers: object) -> Script:
    """Paths with these answers, and critics that know sums."""

    def script(request: Request) -> str:
        seat = request.place.seat
        return judge(request) if seat.startswith("critic") else box(answers[int(seat[4:])])

    return script


def test_an_uncertain_vote_drops_what_is_judged_wrong_and_votes_again() -> None:
    rows = rows_of_play(self_check, talk(5, 5, 4), {"paths": 3, "threshold": 2.5})
    assert final_of(rows) == ("4", True, 1.0)
    assert [row[2] for row in others_of(rows)] == ["5", "5", "4"]
    assert len(rows.rows("call_ends")) == 6


def test_if_all_are_dropped_the_first_vote_holds_and_a_certain_one_is_not_checked() -> None:
    rows = rows_of_play(self_check, talk(5, 5, 6), {"paths": 3, "threshold": 2.5})
    assert final_of(rows) == ("5", False, pytest.approx(2 / 3))
    rows = rows_of_play(self_check, talk(5, 5, 6), {"paths": 3, "threshold": 2.0})
    assert len(rows.rows("call_ends")) == 3


def test_the_control_arm_makes_as_many_calls_and_votes_over_all_samples() -> None:
    options = {"paths": 3, "threshold": 9.0, "then": "sample"}
    rows = rows_of_play(self_check, talk(5, 5, 4, 4, 4, 4), options)
    assert final_of(rows) == ("4", True, pytest.approx(4 / 6))
    assert len(rows.rows("call_ends")) == 6


@pytest.mark.parametrize(
    ("votes", "ratio", "entropy"),
    [
        (["4", "4", "5", None], 2.0, 1 - (math.log(3) - 2 / 3 * math.log(2)) / math.log(3)),
        (["4", "4"], math.inf, 1.0),
        (["4", "5"], 1.0, 0.0),
        (["4"], math.inf, 1.0),
        ([None], 0.0, 0.0),
    ],
)
def test_certainty_is_a_ratio_or_an_entropy(
    votes: list[str | None], ratio: float, entropy: float
) -> None:
    assert certainty_of(votes, "ratio") == ratio
    assert certainty_of(votes, "entropy") == pytest.approx(entropy)


@pytest.mark.slow
def test_a_self_check_is_worth_what_its_critic_is(tmp_path: Path) -> None:
    """Checked always: who is always right finds any right answer, who never is none but all."""
    questions = simulated_questions(120)
    options = {"paths": 4, "threshold": 99.0}
    error = 4 * 0.5 / 120**0.5
    rights = [chances(solver_profile("solver"), each)[each.right] for each in parsed(questions)]
    found = {}
    for critic in (0.0, 0.5, 1.0):
        solver = agent(f"sim/solver:shared=0:critic={critic}")
        found[critic] = accuracy_of(self_check, solver, questions, options)
    # A vote in which all agree is as certain as can be, and is not checked.
    assert found[1.0] == pytest.approx(mean(1 - (1 - p) ** 4 for p in rights), abs=error)
    assert found[0.0] == pytest.approx(mean(p**4 for p in rights), abs=error)
    # A critic at chance mends nothing: what it drops is as often right as it was.
    vote = expected_majority("solver:shared=0", questions, 4)
    assert found[0.5] < vote + error / 2
    # Its accuracy is reported, as that of verdicts within the play.
    arena = Arena(tmp_path / "a.duckdb")
    lineup = [{"solver": agent("sim/solver:shared=0:critic=0.9")}]
    arena.run(Study("votes", [Arm("checked", self_check, lineup, options)], questions))
    row = read_assessments(arena.path, "votes")["votes"].critiques
    assert row is not None
    assert (row[0].arm, row[0].own) == ("checked", True)
    assert row[0].accuracy.ci_low < 0.9 < row[0].accuracy.ci_high


def by_seed(request: Request) -> str:
    """An answer and a verdict that depend on the seed alone."""
    verdict = "right" if request.seed % 2 else "wrong"
    return f"{request.seed}\nVerdict: {verdict}\n{box(request.seed % 3)}"


def test_critiques_and_the_self_check_obey_the_laws() -> None:
    agent = Agent("s", scripted_model(by_seed))
    laws.check(critique, {"scorer": agent}, SAMPLES)
    laws.check(self_check, {"solver": agent}, QUESTION, options={"paths": 3, "threshold": 9.0})
