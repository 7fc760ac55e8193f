"""Consensus or a vote, and what does an early end change?  A table that drafts, to copy and change.

The paper is "Voting or Consensus? Decision-Making in Multi-Agent Debate" (Lars Benedikt Kaesberg et
al., arXiv 2502.19130).

    arena run drafting                         simulated panelists and questions, no key, seconds
    arena run drafting -o models=openai/gpt-4o-mini -o questions=gsm8k.jsonl
    arena run drafting -o compare=decisions    every rule of decision, in one paradigm
    arena run drafting -o compare=paradigms    every paradigm, by one rule
    arena run drafting -o persona=drawn        roles from a list (generated: written by a model)
    python drafting.py                         this file as a program: the paper's numbers, too

Arms of "early": consensus and vote, each with and without an early end (the arms in pairs say what
it saves in calls, and what it changes in answers), drafts by all, and the vote of as many samples.
"peer prediction" votes for what is more popular than expected, which is not among the paper's
rules.

What could be checked of the paper:

    votes            +13.2% on tasks of reasoning against consensus
    consensus        +2.8% on tasks of knowledge against votes
    drafts by all    up to +3.3%; collective improvement up to +7.4%
    in words         more agents help, more turns before a vote hurt
    not known        its tables by rule and task

Comparable: the signs of differences between arms on the same model and questions.  With simulated
panelists nothing can be compared: how far they follow peers, and how they fill in ballots, was
planted.
"""

from __future__ import annotations

from typing import Literal

from agents import agent
from agents.simulated.questions import simulated_questions
from analysis.reports.beside_paper import print_beside
from arena import Arena, Arm, Sampling, Study
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from protocols.drafting import drafting
from protocols.personas import Personas
from protocols.self_consistency import self_consistency

SOLVERS = ["sim/panelist:shared=0:peer_weight=0.7"]
PARADIGMS = ("memory", "report", "relay", "debate", "collective")
CONSENSUS = ("majority", "supermajority", "unanimity", "hybrid")
VOTES = ("vote", "approval", "cumulative", "ranked", "borda", "runoff", "judge")
PEER_PREDICTION = "peer prediction"
EARLY: dict[str, dict[str, object]] = {
    "unanimity": {"decide": "unanimity"},
    "unanimity, to the end": {"decide": "unanimity", "early": False},
    "vote": {"decide": "vote"},
    "vote, to the end": {"decide": "vote", "early": False},
    "drafts by all": {"decide": "unanimity", "drafts": "all"},
}
PAPER = {
    "vote": "+13.2 points on reasoning against consensus",
    "unanimity": "+2.8 points on knowledge against votes",
    "drafts by all": "up to +3.3 points",
    "collective": "up to +7.4 points",
}


def study(
    *,
    models: list[str] = SOLVERS,
    compare: Literal["early", "decisions", "paradigms"] = "early",
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 100,
    agents: int = 3,
    turns: int = 5,
    persona: Personas = "none",
    temperature: float = 0.7,
    max_tokens: int | None = None,
    repeats: int = 1,
) -> Study:
    """Return the arms of one comparison, with the table that the models make.

    One model is seated `agents` times; several sit together.  The paper has 10 turns and roles that
    a model writes (persona=generated).  `questions` is a file or a name of the hub, with the
    columns `question` and `answer`, or else `number` simulated questions.
    """
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    seated = [agent(reference, sampling=sampling) for reference in models]
    same: dict[str, object] = {"agents": agents, "turns": turns, "persona": persona}
    compared: dict[str, dict[str, dict[str, object]]] = {
        "early": EARLY,
        "decisions": {
            **{name: {"decide": name} for name in (*CONSENSUS, *VOTES)},
            PEER_PREDICTION: {"decide": "surprisingly_popular"},
        },
        "paradigms": {name: {"paradigm": name} for name in PARADIGMS},
    }
    options = {name: same | each for name, each in compared[compare].items()}
    arms = [Arm(name, drafting, [{"solvers": seated}], each) for name, each in options.items()]
    paths = {"paths": agents * turns}
    arms.append(Arm("samples", self_consistency, [{"solver": seated[0]}], paths))
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number)
    )
    return Study(f"drafting {compare}", arms, subjects, repeats)


def show_results(arena: Arena, played: Study) -> None:
    """Print the report, and each arm beside what the paper has."""
    print_beside(arena.path, played.name, {}, PAPER)


if __name__ == "__main__":
    run_study_program(__file__, show_results)
