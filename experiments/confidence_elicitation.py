"""How well do models know whether they are right?  Ways of asking them, to copy and change.

The paper is "Can LLMs Express Their Uncertainty?" (Miao Xiong et al., arXiv 2306.13063).

    arena run confidence_elicitation       simulated solvers and questions, no key, seconds
    python confidence_elicitation.py       this file as a program prints the measures too
    arena run confidence_elicitation -o models=http/a@URL,http/b@URL \\
        -o questions=my.jsonl
    arena run confidence_elicitation -o samples=5 -o temperature=0.7 \\
        -o aggregation=average_confidence
    arena run confidence_elicitation -o samples=5 -o sampling_strategy=misleading
    arena run confidence_elicitation -o strategies=top_k -o samples=5 -o aggregation=pair_rank

Every model answers every question once for each of `strategies` (or `samples` times, combined by
`aggregation`).  `sampling_strategy` says how samples come to differ: by chance, by prompts that
vary, or by misleading hints, under which the answer is the one without a hint.  `p_true` and
`sequence_probability` read token probabilities, and need models that give them (`local/...`).  A
file of questions has `question` and `answer`, and `choices` if there are options, or the columns of
a published one; name others by `-o question=... -o answer=...`.

The paper's abstract reports these numbers, all that could be checked:

    AUROC, mean over data sets     verbalised (black box) 0.522, white box 0.605
    in words                       verbalised confidence is too high; it improves with the model;
                                   no way of asking is best everywhere; questions of professional
                                   knowledge are hard for all

Comparable: AUROC here with these two, and whether mean confidence exceeds accuracy.  Not
comparable: the paper's models (GPT-3 to GPT-4, Vicuna, LLaMA 2), its eight data sets, its prompts,
and its tables by strategy, which were not available.  With the simulated solvers nothing can be
compared; the accuracy and confidence planted in them stand in the right columns.
"""

from __future__ import annotations

from collections import defaultdict
from math import nan

import numpy as np

from agents import agent
from agents.simulated.questions import simulated_questions
from agents.simulated.truth import expected_accuracy, expected_stated
from analysis.reports.tables.formatting import decimal
from analysis.statistics.calibration import auroc, ece
from arena import Arena, Arm, Sampling, Study
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from arena.studies.study import plays
from protocols.confidence import confidence_elicitation
from protocols.confidence_aggregation import Aggregation
from protocols.confidence_prompts import Around, SamplingStrategy, Strategy

STRATEGIES: list[Strategy] = ["vanilla", "chain_of_thought", "multi_step", "top_k", "self_probing"]
SOLVERS = ["sim/solver:bias=0.25", "sim/solver:ability=1.5:bias=0.0:discrimination=0.3"]
# An answer without a grade or a confidence is NULL there, and nan in the arrays made of it.
ANSWERS = """
    select e.episode, e.arm, s.model, a.correct::double, a.confidence
    from answers a join episodes e using (episode) join seats s using (episode, seat)
    where a.final and e.status = 'done' order by all
"""


def study(
    *,
    models: list[str] = SOLVERS,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 100,
    strategies: list[Strategy] = STRATEGIES,
    samples: int = 1,
    aggregation: Aggregation = "consistency",
    sampling_strategy: SamplingStrategy = "self_random",
    hints_around: Around = "right answer",
    temperature: float | None = None,
    repeats: int = 1,
    max_tokens: int | None = None,
) -> Study:
    """Return one arm for each strategy, with every model.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` simulated questions.  `temperature` None leaves it to the provider.
    """
    sampling = Sampling(max_tokens=max_tokens)
    lineups = [{"solver": agent(reference, sampling=sampling)} for reference in models]
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number)
    )
    options = {
        "samples": samples,
        "aggregation": aggregation,
        "sampling_strategy": sampling_strategy,
        "hints_around": hints_around,
        "temperature": temperature,
    }
    arms = [
        Arm(strategy, confidence_elicitation, lineups, {"strategy": strategy, **options})
        for strategy in strategies
    ]
    several = f"_{samples}_samples_{aggregation}" if samples > 1 else ""
    if samples > 1 and sampling_strategy != "self_random":
        several += f"_{sampling_strategy}"
    return Study(f"confidence_elicitation{several}", arms, subjects, repeats)


def show_results(arena: Arena, played: Study) -> None:
    """Print accuracy and confidence by arm and model, beside the planted values if known."""
    answers = defaultdict[tuple[str, str], list[tuple[float, float]]](list)
    # The store may hold episodes of this study's name with other models or questions.
    episodes = {play.episode for play in plays(played)}
    for episode, arm, model, correct, confidence in arena.sql(ANSWERS).rows:
        if episode in episodes:
            correct, confidence = (nan if v is None else v for v in (correct, confidence))
            answers[arm, model].append((correct, confidence))
    # Samples that are combined into one answer have no known truth.
    known = all(arm.options["samples"] == 1 for arm in played.arms)
    # But for the answer without a hint, which is that of one sample.
    hinted = all(arm.options["sampling_strategy"] == "misleading" for arm in played.arms)
    header = f"\n{'strategy':20} {'model':52}    n missing accuracy confidence   ECE AUROC"
    print(header + ("   planted: accuracy confidence" if known or hinted else ""))
    for (arm, model), pairs in sorted(answers.items()):
        planted = ""
        if (known or hinted) and model.startswith("sim/solver"):
            accuracy = expected_accuracy(model[4:], played.subjects)
            stated = decimal(expected_stated(model[4:], played.subjects), 3) if known else ""
            planted = f"             {accuracy:.3f}      {stated}"
        print(f"{arm:20} {model:52} {format_measures(np.array(pairs))}{planted}")
    if any(model.startswith("sim/") for _, model in answers):
        print(
            "SIMULATED: these solvers say what was planted in them;"
            " nothing can be compared with the paper."
        )
    else:
        print(
            "The paper (AUROC 0.522 verbalised, 0.605 white box) had other models, questions and"
            " prompts: see the beginning of this file."
        )


def format_measures(answers: np.ndarray) -> str:
    """Return the numbers of one arm and model as a row.

    `answers` is (n, 2): correct (0 or 1) and confidence, nan if missing.  Measures are of answers
    that have both.
    """
    whole = answers[~np.isnan(answers).any(axis=1)]
    counts = f"{len(answers):4} {len(answers) - len(whole):7}"
    if not len(whole):
        return counts
    correct, confidence = whole.T
    accuracy, stated, error, area = (
        f"{decimal(measure, 3):>5}"
        for measure in (
            correct.mean(),
            confidence.mean(),
            ece(confidence, correct),
            auroc(confidence, correct),
        )
    )
    return f"{counts}    {accuracy}      {stated} {error} {area}"


if __name__ == "__main__":
    run_study_program(__file__, show_results)
