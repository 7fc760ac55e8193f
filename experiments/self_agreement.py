"""Is one more call better than a vote?  Self-agreement at equal cost, to copy and change.

The paper is "Just Ask One More Time!" (arXiv 2311.08154).

    arena run self_agreement         simulated solvers and questions, no key, seconds
    arena run self_agreement -o model=toy/sum -o calls=8
        the toy that adds three numbers (it cannot read the chains of thought of others)
    arena run self_agreement -o model=openai/gpt-4o-mini \\
        -o questions=gsm8k.jsonl -o calls=11
    arena run self_agreement -o model=http/llama-3.1-8b@http://127.0.0.1:8000/v1 \\
        -o questions=my.jsonl -o calls=0 -o tokens=8000

Every arm may make at most `calls` calls a question (self-agreement: ten paths and the one more), or
generate at most `tokens` tokens if these are set.  A file of questions has `question` and `answer`,
and `choices` if there are options, or the columns of a published one; name others by
`-o question=... -o answer=...`.  `hf:owner/name` is a data set of the Hugging Face hub.

The claims of the paper that could be checked: on six benchmarks of reasoning self-agreement is at
least as good as self-consistency at the same number of paths, and needs no parser of answers on the
paths.  Its tables, number of paths and temperature were not available: ten paths at 0.7 are this
file's.  Comparable: the order of the two arms on the same model and questions, with the paired
interval that is printed.  With the simulated solvers nothing can be compared: the errors of a
reader of replies were planted.
"""

from __future__ import annotations

from agents import agent
from agents.simulated.questions import simulated_questions
from agents.toy.problems import sums
from analysis.reports.debates import study_reports
from analysis.reports.tables.debates import print_report
from arena import Arena, Sampling, Study
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from protocols import budget

COMPARED = [
    "single",
    "self_consistency",
    "self_agreement",
    "self_aggregation",
    "universal_self_consistency",
    "society_of_minds",
    "moa",
]


def study(
    *,
    model: str = "sim/solver",
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 100,
    calls: int = 11,
    tokens: int | None = None,
    protocols: list[str] = COMPARED,
    temperature: float | None = None,
    repeats: int = 1,
) -> Study:
    """Return one arm for each protocol, with the same budget a question.

    The budget is `calls` (0: no bound), or `tokens`.  `questions` is a file or a name of the hub,
    with the columns `question` and `answer`, or else `number` simulated questions, sums for the
    toy.  `temperature` defaults to 0.7, to 1.7 for the toy, which scores about 60% there.
    """
    toy = model.startswith("toy/")
    # Paths must differ, or there is nothing to vote on: a temperature well above 0.
    default = 1.7 if toy else 0.7
    sampling = Sampling(
        temperature=default if temperature is None else temperature,
        max_tokens=100 if toy else None,
    )
    solver = agent(model, sampling=sampling, drop_unsupported=True)
    arms = budget.arms(solver, calls=calls or None, tokens=tokens, protocols=protocols)
    if questions:
        subjects = read_questions(questions, question=question, gold=answer)
    else:
        subjects = sums(number) if toy else simulated_questions(number)
    return Study("self_agreement", arms, subjects, repeats)


def show_results(arena: Arena, played: Study) -> None:
    """Print the study's report."""
    print_report(study_reports(arena.path, played.name))


if __name__ == "__main__":
    run_study_program(__file__, show_results)
