"""How sure is a model of an answer, relative to its others?  Pairs to copy and change.

The paper is "Language Models Prefer What They Know: Relative Confidence Estimation" (arXiv
2502.01126).

    arena run relative_confidence           simulated solvers and questions, no key, seconds
    python relative_confidence.py           this file as a program prints the measures too
    arena run relative_confidence -o models=openai/gpt-5-mini -o questions=my.jsonl
    arena run relative_confidence -o comparisons=5 -o order=both

Every model answers every question once and states its confidence; then it is shown pairs of
questions with its answers, `comparisons` a question, and says of which it is more confident.  The
preferences are made ranks by shares of wins, Elo, TrueSkill and Bradley and Terry.

The paper's numbers, means over 14 tasks; the area is that under accuracy and coverage ("AUC"):

    area        stated   self-consistency   Elo     TrueSkill   Bradley-Terry
    Llama 405B  .762     .774               .819    .823        .821
    GPT-4       .782     .813               .816    .823        .821
    GPT-4o      .840     .854               .872    .871        .868
    Gemini 1.5  .787     .811               .809    .818        .819
    Claude 3.5  .853     .865               .863    .864        .863
    AUROC       .645     .741               .744    .753        .749     (mean of the models)

Comparable: whether the ranks' area and AUROC exceed those of the stated confidence, on questions of
your own.  Not comparable: the paper's models, tasks and prompts.  Its gain over self-consistency
with 15 comparisons was 1.8 (GPT-4o) and 4.9 points (Llama 405B).  With the simulated solvers
nothing can be compared: a comparison is decided by what they would state, so that ranks are better
than one stated confidence as far as they take its noise out; the column "planted" has the area of
the confidence without its noise.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from agents import agent
from agents.simulated.questions import question_in, simulated_questions
from agents.simulated.solver import chances, solver_profile
from analysis.read.comparisons import Key, stored_comparisons
from analysis.reports.tables.formatting import decimal
from analysis.statistics.calibration import auroc, selective_accuracy
from analysis.statistics.relative_confidence import METHODS, relative_ranks, unit_range
from arena import Arena, Arm, Sampling, Stage, Study
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from protocols.confidence import confidence_elicitation
from protocols.confidence_prompts import Strategy
from protocols.relative_confidence import Order, relative_confidence_of

SOLVERS = ["sim/solver:discrimination=0.3", "sim/solver:ability=1.0:noise=0.3"]
ANSWERS = """
    select a.episode, a.seat, t.step, s.model, q.text, a.answer, a.correct::double, a.confidence
    from answers a join episodes e using (episode) join seats s using (episode, seat)
    join subjects q using (subject)
    join turns t on t.episode = a.episode and t.seat = a.seat and t.phase = 'answer'
    where e.study = ? and a.final and e.status = 'done' and a.correct is not null
"""


def study(
    *,
    models: list[str] = SOLVERS,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 60,
    comparisons: int = 15,
    order: Order = "random",
    strategy: Strategy = "chain_of_thought",
    temperature: float | None = None,
) -> list[Study | Stage]:
    """Return the answers with a stated confidence, and the stage that compares them.

    `questions` is a file or a name of the hub, or else `number` simulated questions.
    """
    sampling = Sampling(temperature=temperature)
    lineups = [{"solver": agent(reference, sampling=sampling)} for reference in models]
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number)
    )
    arm = Arm("answers", confidence_elicitation, lineups, {"strategy": strategy})
    answers = Study("relative_confidence", [arm], subjects)
    name = f"relative_confidence of {comparisons}" + (" both" if order == "both" else "")
    return [answers, relative_confidence_of(name, answers, comparisons=comparisons, order=order)]


def planted_level(model: str, text: str, answer: str) -> float:
    """Return the confidence that a simulated solver has without noise, nan for another model."""
    question = question_in(text)
    if not model.startswith("sim/solver") or question is None:
        return float("nan")
    profile = solver_profile(model[4:])
    right = chances(profile, question)[question.right]
    level = right + profile.bias + profile.discrimination * ((answer == question.right) - right)
    return min(max(level, 0.0), 1.0)


def show_results(arena: Arena, played: Study) -> None:
    """Print area and AUROC of the stated confidence and of each way to rank."""
    found = stored_comparisons(arena.path, played.name)
    rows: Mapping[Key, tuple[str, str, str, float, float | None]] = {
        (row[0], row[1], row[2]): row[3:]
        for row in arena.sql(ANSWERS, ["relative_confidence"]).rows
    }
    print(f"\n{'model':40} {'confidence':14}    n accuracy  area AUROC")
    for model in sorted({row[0] for row in rows.values()}):
        codes = [
            code for code, key in enumerate(found.answers) if key in rows and rows[key][0] == model
        ]
        kept = [rows[found.answers[code]] for code in codes]
        correct = np.array([row[3] for row in kept])
        stated = np.array([np.nan if row[4] is None else row[4] for row in kept])
        planted = np.array([planted_level(row[0], row[1], row[2]) for row in kept])
        ways = {"stated": stated}
        for method in METHODS:
            rank = relative_ranks(
                found.first, found.second, found.score, len(found.answers), method=method
            )
            ways[method] = rank[codes]
        if not np.isnan(planted).all():
            ways["planted"] = planted
        for way, value in ways.items():
            known = ~np.isnan(value)
            sure, right = unit_range(value[known]), correct[known]
            numbers = (right.mean(), selective_accuracy(sure, right), auroc(sure, right))
            cells = " ".join(f"{decimal(float(each), 3):>5}" for each in numbers)
            print(f"{model:40} {way:14} {known.sum():4}    {cells}")
    print(
        f"ties: {decimal(float(np.nanmean(found.ties)), 3)}, unreadable:"
        f" {decimal(float(np.nanmean(found.unreadable)), 3)} of all comparisons, half a win each"
    )
    if any(row[0].startswith("sim/") for row in rows.values()):
        print("SIMULATED: nothing can be compared with the paper.")


if __name__ == "__main__":
    run_study_program(__file__, show_results)
