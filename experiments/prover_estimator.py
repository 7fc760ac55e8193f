"""Do estimates of subclaims protect a judge from an argument with a hidden flaw?  To change.

The paper is "Avoiding Obfuscation with Prover-Estimator Debate" (Jonah Brown-Cohen, Geoffrey Irving
and Georgios Piliouras, arXiv 2506.13609), which is theory: it proves that an honest prover can win
with about as much computing as its opponent, and has no experiment.

    arena run prover_estimator              simulated passages and provers, no key, seconds
    arena run prover_estimator -o prover=openai/gpt-5 -o estimator=openai/gpt-5-mini \\
        -o judge=openai/gpt-5-nano -o questions=quality.jsonl -o passage=article
    arena sql "select arm, seat, avg(correct::int) from answers join episodes using (episode)
        where study = 'prover_estimator' group by all order by all"       before and after the check
    python prover_estimator.py              this file as a program: planted beside found

A file has `question`, `answer`, `choices`, and a column with the passage, which `passage` names.
Arms: the prover argues for the right and for a wrong answer, its chosen subclaim checked by the
judge with the text or alone; the judge without anybody (naive), and with the text (expert).

Numbers of the paper: not known, since it has none at depth one or any other.  Comparable: nothing.
What to look at is the wrong answer: the prover chooses where the judge looks, so that the estimates
alone can protect it.
"""

from __future__ import annotations

from agents import agent
from agents.simulated.passages import simulated_passages
from analysis.reports.beside_paper import print_beside
from arena import Arena, Arm, Study
from arena.cli.study_program import run_study_program
from arena.studies.lineups import agents_in
from arena.studies.questions import questions as read_questions
from protocols.oversight_judges import judge_alone
from protocols.prover_estimator import prover_estimator

PROVER = "sim/prover"


def study(
    *,
    prover: str = PROVER,
    estimator: str = PROVER,
    judge: str = PROVER,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    passage: str | None = None,
    number: int = 60,
    subclaims: int = 3,
    repeats: int = 1,
) -> Study:
    """Return the arms for right and wrong answers, and the judge alone.

    `questions` is a file with the columns `question`, `answer` and `passage`, or else `number`
    simulated questions.
    """
    seats = {"prover": agent(prover), "estimator": agent(estimator), "judge": agent(judge)}
    arms = [
        Arm(
            f"{side}, {check}",
            prover_estimator,
            [seats],
            {"argues": side, "check": check, "subclaims": subclaims},
        )
        for side in ("right", "wrong")
        for check in ("with the text", "alone")
    ]
    # A simulated prover decides about subclaims, and not between two answers.
    reader = "sim/evidence_judge" if judge == PROVER else judge
    for label, text in (("naive", "hidden"), ("expert", "shown")):
        arms.append(Arm(label, judge_alone, [{"judge": agent(reader)}], {"text": text}))
    subjects = (
        read_questions(questions, question=question, gold=answer, passage=passage)[:number]
        if questions
        else simulated_passages(number)
    )
    return Study("prover_estimator", arms, subjects, repeats)


def show_results(arena: Arena, played: Study) -> None:
    """Print the report, and each arm beside what was planted."""
    lineups = [lineup for arm in played.arms for lineup in arm.lineups]
    models = {each.model.name for lineup in lineups for each in agents_in(lineup)}
    # A simulated judge who hears nobody knows nothing.
    planted = {"naive": 0.5} if all(name.startswith("sim/") for name in models) else {}
    print_beside(arena.path, played.name, planted, {})


if __name__ == "__main__":
    run_study_program(__file__, show_results)
