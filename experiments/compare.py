"""Which way of answering is worth its price?  Any methods, on any questions, at the same budget.

    arena run compare                          simulated solvers and questions, no key, seconds
    arena run compare -o model=toy/sum         the toy that adds three numbers
    arena run compare -o model=openai/gpt-4o-mini -o questions=material:truth_tellers,walks \\
        -o protocols=single,self_consistency,round_table:reconcile -o calls=12
    arena run compare -o model=http/llama-3.1-8b@http://127.0.0.1:8000/v1 -o questions=my.jsonl \\
        -o calls=0 -o tokens=8000              the same generated tokens a question
    arena run compare -o protocols=every       every method for plain questions
    arena report --study compare --figures out the table, and accuracy against cost

`protocols` are names, or `protocol:preset` where one holds several papers' formats (round_table,
drafting, moderated), whose arm is named after the preset.  Every arm may make at most `calls` calls
a question, or generate at most `tokens` tokens.  The report has one row an arm with accuracy and
cost, all paired differences with their intervals, who changed an answer, and whether the budgets
were equal in fact.

A discussion gets its controls (`controls=false`: none), with the same agents and rounds: nobody's
replies (what a second thought does), the others' answers without reasons, and reasons that answer
another question, for one call more an agent.  So flips are split into spontaneous ones, those by
stance, and those by reasons.  The vote at equal calls is `self_consistency`, and the vote of the
first round stands in the view `accuracy_by_stage`.

Local models (`toy/sum`, `local/...`) also vote by ways of decoding (docs/decoding.md), with as many
samples as the vote beside them (`decodings=false`: none).

No paper has this comparison.  "Debate or Vote" (arXiv 2508.17536) finds that the vote makes most of
a debate's gain, and arXiv 2502.08788 that five formats often lose to self-consistency at more
compute; their numbers were not available.  Comparable are signs of differences, on the same models
and questions.  With simulated solvers nothing can be compared: how far they follow peers is
planted.
"""

from __future__ import annotations

from dataclasses import replace

from agents import agent
from agents.simulated.questions import simulated_questions
from agents.toy.problems import sums
from analysis.reports.debates import study_reports
from analysis.reports.tables.debates import print_report
from arena import Agent, Arena, Arm, Sampling, Study
from arena.cli.study_program import run_study_program
from arena.decoding import CertaintyStop, Decoding, SoftThinking
from arena.errors import StudyError
from arena.studies.questions import questions as read_questions
from arena.types import Subject
from protocols import budget
from protocols.leap import leap
from protocols.round_table import round_table

# It sits at tables too, where it moderates and votes.
SOLVER = "sim/panelist:peer_weight=0.5:shared=0.3"
COMPARED = [
    "single",
    "self_consistency",
    "self_agreement",
    "self_aggregation",
    "round_table:society_of_minds",
    "round_table:reconcile",
    "moderated:mad",
    "leap",
]
# Methods that need nothing but a question; some models fill a role less well than others.
EVERY = [
    *COMPARED,
    "universal_self_consistency",
    "self_check",
    "moa",
    "own_demonstrations",
    "self_questioning",
    "iterative_deepening",
    "ask_again",
    "self_refine",
    "critique_and_revision",
    "drafting",
]
# Thoughts of the toy and of simulated solvers are short: at LeaP's own sizes no path would be cut,
# and none would read another.
SHORT_THOUGHTS: dict[str, object] = {"think_tokens": 24, "summary_tokens": 16, "answer_tokens": 8}
SHORT_OF_SIMULATED = SHORT_THOUGHTS | {"summary_tokens": 60, "answer_tokens": 60}
DECODINGS: dict[str, Decoding] = {
    "soft thinking": SoftThinking(cold_tokens=32),
    "certainty stop": CertaintyStop(threshold=8.0, window=16),
}
# Another question than any that is asked, whose replies are shown in place of those of others.
FOIL = (
    "A gardener plants 7 rows of 12 tulips, and 9 of them do not come up. Each of the others has"
    " one flower. How many flowers are there?"
)


def study(
    *,
    model: str = SOLVER,
    protocols: list[str] = COMPARED,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 100,
    calls: int = 12,
    tokens: int | None = None,
    controls: bool = True,
    decodings: bool = True,
    temperature: float | None = None,
    repeats: int = 1,
) -> Study:
    """Return an arm for each protocol, with the same budget a question, and controls of tables.

    `protocols` "every" is all methods that need nothing but a question.
    The budget is `calls` (0: no bound), or `tokens`.  `questions` is a file, a name of the hub or
    `material`, with the columns `question` and `answer`, or else `number` simulated questions, sums
    for the toy.  `temperature` defaults to 0.7, to 1.7 for the toy, which scores about 60% there.
    """
    toy = model.startswith("toy/")
    if questions and model.startswith("sim/"):
        raise StudyError(
            f"{model} answers simulated questions alone, and none of {questions}; leave out"
            " -o questions=..., or name another model"
        )
    default = 1.7 if toy else 0.7
    sampling = Sampling(
        temperature=default if temperature is None else temperature,
        max_tokens=100 if toy else None,
    )
    solver = agent(model, sampling=sampling, drop_unsupported=True)
    wanted = EVERY if protocols == ["every"] else protocols
    arms = budget.arms(solver, calls=calls or None, tokens=tokens, protocols=wanted)
    short = SHORT_THOUGHTS if toy else SHORT_OF_SIMULATED if model.startswith("sim/") else {}
    if tokens is None:
        arms = [
            replace(arm, options={**arm.options, **short}) if arm.protocol is leap else arm
            for arm in arms
        ]
    if decodings and model.startswith(("toy/", "local/")):
        votes = [arm for arm in arms if arm.label == "self_consistency"]
        arms += [decoded(arm, name) for arm in votes for name in DECODINGS]
    if questions:
        subjects = read_questions(questions, question=question, gold=answer)
    else:
        # The last question is the foil: it is asked of nobody else.
        subjects = sums(number + 1) if toy else simulated_questions(number + 1)
    foil = Subject(FOIL, "question") if questions else subjects[-1]
    asked = subjects if questions else subjects[:-1]
    if controls:
        tables = [arm for arm in arms if arm.protocol is round_table]
        arms += [control for arm in tables for control in controls_of(arm, foil)]
    return Study("compare", arms, asked, repeats)


def decoded(arm: Arm, name: str) -> Arm:
    """Return an arm of one seat whose agent decodes in another way."""
    [lineup] = arm.lineups
    [(seat, solver)] = lineup.items()
    assert isinstance(solver, Agent)
    sampling = replace(solver.sampling, decoding=DECODINGS[name])
    return replace(arm, label=name, lineups=[{seat: replace(solver, sampling=sampling)}])


def controls_of(arm: Arm, foil: Subject) -> list[Arm]:
    """Return the control arms of a table, which differ in what is shown of others alone."""
    options = {
        "nobody": {"peers": "nobody"},
        "answers": {"peers": "answers"},
        "misplaced": {"peers": "misplaced", "foil": foil.text},
    }
    return [
        replace(arm, label=f"{arm.label}, {name}", options={**arm.options, **each})
        for name, each in options.items()
    ]


def show_results(arena: Arena, played: Study) -> None:
    """Print the study's report."""
    print_report(study_reports(arena.path, played.name))


if __name__ == "__main__":
    run_study_program(__file__, show_results)
