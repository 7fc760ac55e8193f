"""Can models tell right replies from convincing wrong ones, and does it help a vote?  To copy.

The paper is "Critique Ability of Large Language Models" (CriticBench, Liangchen Luo et al., arXiv
2310.04815).

    arena run critique                     simulated solvers and questions, no key, seconds
    arena report --study critique          how often critics are right
    arena report --study "critique votes"  votes with and without a self-check
    python critique.py                     this file as a program: errors beside the paper's
    arena run critique -o models=openai/gpt-4o-mini -o questions=gsm8k.jsonl
    arena run critique -o models=openai/gpt-4o-mini -o critics=anthropic/claude-haiku-4-5 \\
        -o questions=gsm8k.jsonl           another model as the critic

Every model answers every question `paths` times; then the critic (the same agent, unless `critics`
are named) judges every reply.  A second study votes over `paths` samples, as they are ("vote"),
with a self-check where the vote is less certain than `threshold` ("self-check"), and with as many
further samples in its place ("more samples"), which makes the same calls.

What could be checked of the paper:

    error of a vote, GSM8K     -9.52% by self-check with GPT-4 (C = 2), -16.09% with PaLM-2 (C = 1),
                               -3.03% with ChatGPT (C = 1)
    in words                   critique comes with scale; of its own replies about chance on
                               TruthfulQA, poor on HumanEval, good for large models on GSM8K; less
                               accurate where answers are uncertain
    certainty, tables          not known: neither the formula of C nor the tables were available

Comparable: the sign of self-check minus vote, and minus more samples, which the paper has not; the
balanced accuracy of a critic, as far as replies are sampled alike.  `threshold` is on a scale of
ours (votes of the first answer over votes of the second).  With the simulated solvers nothing can
be compared: `critic` was planted.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents import agent
from agents.simulated.questions import simulated_questions
from analysis.reports.report import debate_report
from arena import Arena, Arm, Sampling, Stage, Study
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from protocols.critique import Certainty, self_check
from protocols.scoring import score
from protocols.self_consistency import self_consistency

SOLVERS = ["sim/solver:critic=0.7"]
# By how much a self-check changes the error of a vote on GSM8K, percent of that error.
PAPER = {"GPT-4": -9.52, "PaLM-2": -16.09, "ChatGPT": -3.03}


def study(
    *,
    models: list[str] = SOLVERS,
    critics: list[str] | None = None,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 60,
    paths: int = 8,
    threshold: float = 2.0,
    certainty: Certainty = "ratio",
    temperature: float = 0.7,
    max_tokens: int | None = None,
) -> Sequence[Study | Stage]:
    """Return the replies, the critiques of them, and votes with and without a self-check.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` simulated questions.  Each of `critics` judges the replies of all models; without any,
    each model judges its own.
    """
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    solvers = [agent(reference, sampling=sampling) for reference in models]
    lineups = [{"solver": solver} for solver in solvers]
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number)
    )
    replies = Study(
        "critique", [Arm("replies", self_consistency, lineups, {"paths": paths})], subjects
    )
    judged: list[Study | Stage] = [score("critique of itself", replies, ["critique"])]
    if critics:
        judges = [agent(reference) for reference in critics]
        judged = [
            score(
                f"critique by {judge.name}",
                replies,
                ["critique"],
                scorers={solver.name: judge for solver in solvers},
            )
            for judge in judges
        ]
    checked = {"paths": paths, "threshold": threshold, "certainty": certainty}
    votes = Study(
        "critique votes",
        [
            Arm("vote", self_consistency, lineups, {"paths": paths}),
            Arm("self-check", self_check, lineups, checked),
            Arm("more samples", self_check, lineups, {**checked, "then": "sample"}),
        ],
        subjects,
    )
    return [replies, *judged, votes]


def show_results(arena: Arena, played: Study) -> None:
    """Print the report of the votes, and by how much their errors change, beside the paper's."""
    whole = debate_report(arena.path, played.name)
    print(whole)
    answers = whole.results[0].answers
    assert answers is not None
    error = {row.arm: 1 - row.accuracy.share.all.mean for row in answers.arms}
    paper = ", ".join(f"{name} {change:+.2f}" for name, change in PAPER.items())
    print(f"\nError of a vote: {error['vote']:.3f}")
    for arm in ("self-check", "more samples"):
        change = 100 * (error[arm] / error["vote"] - 1) if error["vote"] else 0.0
        known = paper if arm == "self-check" else "not known"
        print(f"  {arm:13} {error[arm]:.3f} ({change:+.2f}% of the error); the paper: {known}")
    if whole.results[0].simulated:
        print("SIMULATED: how often a critic is right was planted.")


if __name__ == "__main__":
    run_study_program(__file__, show_results)
