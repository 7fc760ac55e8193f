"""Every protocol says what kind of number the confidence of its answers is."""

from __future__ import annotations

import pytest

from agents import agent
from agents.simulated.documents import simulated_documents
from agents.simulated.questions import simulated_questions
from arena.play.memory import MemoryJournal
from arena.studies.lineups import seats_of
from protocols import HOME, laws, named

# Debates and judgings return no answers, labels of private reasoning no confidence; best_of_n needs
# the probabilities of tokens.
WITHOUT_ANSWERS = {"debate", "judging", "private_reasoning", "best_of_n", "recheck"}
# They take stored replies, or questions with options.
WITHOUT_ANSWERS |= {"answer_preference"}
WITHOUT_ANSWERS |= {"relative_confidence", "self_ensembling", "option_probability", "asked_aside"}
# They decode on a local model.
WITHOUT_ANSWERS |= {"ck_plug", "soft_cot"}
# Debaters, judges and tables of any size have tests of their own.
SEATS = {"solver", "asker", "critic", "peer"}
STATED = {
    **dict.fromkeys(
        ("confidence_elicitation", "explain", "thinking_out_loud"), frozenset({"stated"})
    ),
    **dict.fromkeys(("single", "ask_again"), frozenset()),
    **dict.fromkeys(("own_demonstrations", "self_questioning", "open_answer"), frozenset()),
    **dict.fromkeys(("self_refine", "critique_and_revision", "iterative_deepening"), frozenset()),
    **dict.fromkeys(("situated_faithfulness", "weigh_peer"), frozenset()),
}
[QUESTION] = simulated_documents(1, right=True)


def seats(name: str) -> set[str]:
    """The names of a protocol's seats."""
    found = seats_of(named(name))
    return {*found.fixed, *([found.variable] if found.variable else [])}


@pytest.mark.parametrize(
    "name", [name for name in sorted(set(HOME) - WITHOUT_ANSWERS) if seats(name) <= SEATS]
)
def test_a_share_of_votes_is_called_so(name: str) -> None:
    journal = MemoryJournal()
    lineup = dict.fromkeys(sorted(seats(name)), agent("sim/solver"))
    case = laws.Case(named(name), lineup, QUESTION, {})
    case.play("sources", laws.answer_at_once, journal)
    answers = journal.rows("answers")
    sources = {row["confidence_source"] for row in answers if row["confidence"] is not None}
    assert sources == STATED.get(name, {"vote share"})
    assert {row["confidence_source"] for row in answers if row["confidence"] is None} <= {None}


@pytest.mark.parametrize("aggregation", ["consistency", "average_confidence"])
def test_of_several_samples_each_is_stated_and_their_share_is_none(aggregation: str) -> None:
    journal = MemoryJournal()
    options = {"samples": 3, "aggregation": aggregation}
    laws.Case(
        named("confidence_elicitation"),
        {"solver": agent("sim/solver")},
        simulated_questions(1)[0],
        options,
    ).play("sources", laws.answer_at_once, journal)
    sources = {row["final"]: row["confidence_source"] for row in journal.rows("answers")}
    assert sources == {False: "stated", True: "vote share"}
