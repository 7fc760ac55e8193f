"""How well do models know whether they are right?  The ways of asking of "Can LLMs Express Their Uncertainty?", to copy and change.

    python experiments/confidence_elicitation.py                    simulated solvers and questions, no key, some seconds
    arena run experiments/confidence_elicitation.py -o models=http/a@URL,http/b@URL -o questions=my.jsonl
    arena run experiments/confidence_elicitation.py -o samples=5 -o temperature=0.7 -o aggregation=average_confidence

Every model answers every question once for each of `strategies` (or `samples` times, made one by `aggregation`).  `p_true` and
`sequence_probability` read token probabilities, and need models that give them (`local/...`).  A file of questions has `question` and `answer`,
and `choices` where there are options.

What the paper (Miao Xiong et al., arXiv 2306.13063) reports in its abstract, and all of its numbers that we could check:

    AUROC, mean over data sets         verbalised (black box) 0.522        white box 0.605
    in words                           verbalised confidence is too high; it improves with the model; no way of asking is best everywhere;
                                       questions of professional knowledge are hard for all

What can be compared: AUROC here with these two, and whether mean confidence exceeds accuracy.  What cannot: the paper's models (GPT-3 to GPT-4,
Vicuna, LLaMA 2), its eight data sets, its prompts, and its tables by strategy, which we have not seen.  With the simulated solvers nothing
can be compared; what was put into them stands in the right columns.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict

import numpy as np

from agents import agent
from agents.simulated.questions import simulated_questions
from agents.simulated.truth import expected_accuracy, expected_stated
from analysis.statistics.calibration import auroc, ece
from arena import Arena, ArenaError, Arm, Sampling, Study
from arena.studies.questions import questions as read_questions
from arena.studies.study import plays
from arena.tournaments.study_file import load_study
from protocols.confidence import Aggregation, Strategy, confidence_elicitation

STRATEGIES: list[Strategy] = ["vanilla", "chain_of_thought", "multi_step", "top_k", "self_probing"]
SOLVERS = ["sim/solver:bias=0.25", "sim/solver:ability=1.5:bias=0.0:discrimination=0.3"]
ANSWERS = """
    select e.episode, e.arm, s.model, a.correct, a.confidence
    from answers a join episodes e using (episode) join seats s using (episode, seat)
    where a.final and e.status = 'done' order by all
"""


def study(
    *,
    models: list[str] = SOLVERS,
    questions: str | None = None,
    number: int = 100,
    strategies: list[Strategy] = STRATEGIES,
    samples: int = 1,
    aggregation: Aggregation = "consistency",
    temperature: float | None = None,
    repeats: int = 1,
    max_tokens: int | None = None,
) -> Study:
    """Every strategy is an arm; `questions` is a file, else there are `number` simulated ones.  `temperature` None is the provider's own."""
    lineups = [
        {"solver": agent(reference, sampling=Sampling(max_tokens=max_tokens))}
        for reference in models
    ]
    subjects = read_questions(questions) if questions else simulated_questions(number)
    options = {"samples": samples, "aggregation": aggregation, "temperature": temperature}
    arms = [
        Arm(strategy, confidence_elicitation, lineups, {"strategy": strategy, **options})
        for strategy in strategies
    ]
    several = f"_{samples}_samples_{aggregation}" if samples > 1 else ""
    return Study(f"confidence_elicitation{several}", arms, subjects, repeats)


def main(options: list[str]) -> int:
    """Play the study with options such as "samples=5"; print accuracy and confidence by arm and model, and what was put in where known."""
    made = load_study(__file__, options)
    arena = Arena()
    summary = arena.run(made)
    print(summary)
    found: defaultdict[tuple[str, str], list[tuple[bool | None, float | None]]] = defaultdict(list)
    planned = {play.episode for play in plays(made)}
    for episode, arm, model, correct, confidence in arena.sql(ANSWERS).rows:
        if episode in planned:
            found[arm, model].append((correct, confidence))
    alone = all(arm.options["samples"] == 1 for arm in made.arms)
    print(
        f"\n{'strategy':20} {'model':52}    n missing accuracy confidence   ECE AUROC{'   put in: accuracy confidence' if alone else ''}"
    )
    for (arm, model), answers in sorted(found.items()):
        put_in = ""
        if alone and model.startswith("sim/solver"):
            truth = (
                expected_accuracy(model[4:], made.subjects),
                expected_stated(model[4:], made.subjects),
            )
            put_in = "              " + "      ".join(map(format_number, truth))
        print(f"{arm:20} {model:52} {format_measures(answers)}{put_in}")
    if any(model.startswith("sim/") for _, model in found):
        print(
            "SIMULATED: these solvers say what was put into them; nothing can be compared with the paper."
        )
    else:
        print(
            "The paper (AUROC 0.522 verbalised, 0.605 white box) had other models, questions and prompts: see the head of this file."
        )
    return 1 if summary.failed else 0


def format_measures(answers: list[tuple[bool | None, float | None]]) -> str:
    """Of the answers of an arm: how many, how many without grade or confidence, and, of the rest, the measures."""
    whole = [
        (float(correct), confidence)
        for correct, confidence in answers
        if correct is not None and confidence is not None
    ]
    correct, confidence = np.array(whole).reshape(-1, 2).T
    if not whole:
        return f"{len(answers):4} {len(answers):7}"
    means = f"{format_number(correct.mean())}      {format_number(confidence.mean())} {format_number(ece(confidence, correct))} {format_number(auroc(confidence, correct))}"
    return f"{len(answers):4} {len(answers) - len(whole):7}    {means}"


def format_number(value: float) -> str:
    """A number with three decimals, or a dash where there is none."""
    return "    -" if math.isnan(value) else f"{value:5.3f}"


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ArenaError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
