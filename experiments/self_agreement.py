"""Is one more call better than a vote?  Self-agreement and its kin at the same number of calls a question, to copy and change.

    python experiments/self_agreement.py                           simulated solvers and questions, no key, some seconds
    python experiments/self_agreement.py model=toy/sum calls=8     the toy that adds three numbers (it cannot read chains of thought of others)
    arena run experiments/self_agreement.py -o model=openai/gpt-4o-mini -o questions=gsm8k.jsonl -o calls=11
    arena run experiments/self_agreement.py -o model=http/llama-3.1-8b@http://127.0.0.1:8000/v1 -o questions=my.jsonl -o calls=0 -o tokens=8000

Every arm may make at most `calls` calls a question (self-agreement: ten paths and the one more), or generate at most `tokens` tokens where
these are given.  A file of questions has `question` and `answer`, and `choices` where there are options.

What the paper ("Just Ask One More Time!", arXiv 2311.08154) says and we could check: on six benchmarks of reasoning self-agreement is at least
as good as self-consistency at the same number of paths, and needs no parser of answers on the paths.  Its tables, its number of paths and its
temperature we have not seen: ten paths at 0.7 are ours.  What can be compared: the order of the two arms on the same model and questions, with
the paired interval that is printed.  With the simulated solvers nothing can be compared: how a reader of replies errs was put into them.
"""

from __future__ import annotations

import sys

from agents import agent
from agents.simulated.questions import simulated_questions
from analysis.reports.debates import study_reports
from analysis.reports.tables.debates import print_report
from arena import Arena, ArenaError, Sampling, Study
from arena.studies.questions import questions as read_questions
from arena.tournaments.study_file import load_study
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
    number: int = 100,
    calls: int = 11,
    tokens: int | None = None,
    protocols: list[str] = COMPARED,
    temperature: float | None = None,
    repeats: int = 1,
) -> Study:
    """One arm for each protocol, with the same budget a question: `calls` (0: no bound), or `tokens`.

    `questions` is a file, else there are `number` simulated ones, or sums for the toy.  `temperature` is 0.7 where it is not given, 1.7 for the
    toy, which scores about 60% there.
    """
    toy = model.startswith("toy/")
    warm = (1.7 if toy else 0.7) if temperature is None else temperature
    solver = agent(
        model,
        sampling=Sampling(temperature=warm, max_tokens=100 if toy else None),
        drop_unsupported=True,
    )
    if questions:
        subjects = read_questions(questions)
    elif toy:
        from agents.toy.problems import sums

        subjects = sums(number)
    else:
        subjects = simulated_questions(number)
    return Study(
        "self_agreement",
        budget.arms(solver, calls=calls or None, tokens=tokens, protocols=protocols),
        subjects,
        repeats,
    )


def main(options: list[str]) -> int:
    """Play the study with options such as "calls=5"; print its report."""
    made = load_study(__file__, options)
    arena = Arena()
    summary = arena.run(made)
    print(summary)
    print_report(study_reports(arena.path, made.name))
    return 1 if summary.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ArenaError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
