"""Does a model's own feedback make its answers better, and a critic's?  To copy and change.

The papers are "Self-Refine: Iterative Refinement with Self-Feedback" (Aman Madaan et al., arXiv
2303.17651) and "LLMs Can Generate a Better Answer by Aggregating Their Own Responses" (GSA; Zichong
Li et al., arXiv 2503.04104), which has it as a baseline at equal calls.

    arena run self_refine                  simulated reasoners and questions, no key, seconds
    arena run self_refine -o model=openai/gpt-4o-mini -o questions=gsm8k.jsonl -o calls=5
    arena run self_refine -o model=openai/gpt-4o-mini -o critic=openai/gpt-5-mini \\
        -o questions=gsm8k.jsonl           another model as the critic
    arena report --study self_refine       right answers; "Who changed": first reply to last
    python self_refine.py                  this file as a program: planted beside found

Every arm makes at most `calls` calls a question: one reply, a vote, GSA, universal self-
consistency, self-refine, and critique and revision, whose critic is another model where one is
named.  Texts of open tasks are compared in the study `open_tasks`.

What could be checked of the papers:

    Self-Refine    about 20 points better than one reply on average over seven tasks (abstract), of
                   which mathematical reasoning is one; per task: not known here
    GSA            in words: better than self-correction on mathematics, knowledge and open tasks at
                   equal calls; its numbers, n and temperatures: not known

Comparable: the order of the arms at equal calls.  Not comparable: prompts, which have examples in
Self-Refine and none here.  With simulated reasoners nothing can be compared: how often feedback is
right (`critic`), and what a new reply mends and takes back (`corrects`, `stays`), was planted.
"""

from __future__ import annotations

from agents import agent
from agents.simulated.questions import simulated_questions
from agents.simulated.reasoner_truth import expected_after_feedback, expected_alone, profile_in
from analysis.reports.beside_paper import print_beside
from arena import Arena, Arm, Sampling, Study
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from protocols import budget
from protocols.critique_and_revision import critique_and_revision, options_for_calls

SOLVER = "sim/reasoner:critic=0.8:stays=0.9:corrects=0.4:shared=0.6"
COMPARED = [
    "single",
    "self_consistency",
    "self_aggregation",
    "universal_self_consistency",
    "self_refine",
]
PAPER = {"self_refine": "about +20 on average over seven tasks"}


def study(
    *,
    model: str = SOLVER,
    critic: str | None = None,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 100,
    calls: int = 5,
    protocols: list[str] = COMPARED,
    temperature: float | None = 0.7,
    max_tokens: int | None = None,
    repeats: int = 1,
) -> Study:
    """Return an arm for each protocol, and one with a critic, at the same calls a question.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` simulated questions.  `critic` is the same agent unless it is named.
    """
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    solver = agent(model, sampling=sampling, drop_unsupported=True)
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number)
    )
    arms = budget.arms(solver, calls=calls, protocols=protocols)
    judge = agent(critic) if critic else solver
    lineup = {"solver": solver, "critic": judge}
    revised = Arm("revision", critique_and_revision, [lineup], options_for_calls(calls))
    return Study("self_refine", [*arms, revised], subjects, repeats)


def show_results(arena: Arena, played: Study) -> None:
    """Print the report, and the arms beside what was planted and what the papers have."""
    planted = {}
    if (profile := profile_in(played)) is not None:
        questions = played.subjects
        planted["single"] = expected_alone(profile, questions)
        for arm in played.arms:
            if arm.label in ("self_refine", "revision"):
                rounds = int(str(arm.options["rounds"]))
                planted[arm.label] = expected_after_feedback(profile, questions, rounds)
    print_beside(arena.path, played.name, planted, PAPER)


if __name__ == "__main__":
    run_study_program(__file__, show_results)
