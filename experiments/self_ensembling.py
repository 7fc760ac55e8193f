"""Is one model in several prompts better calibrated than in one?  Self-ensembling, to copy.

The paper is "On Task Performance and Model Calibration with Supervised and Self-Ensembled
In-Context Learning" (arXiv 2312.13772).

    arena run self_ensembling            simulated solvers and questions, no key, seconds
    python self_ensembling.py            this file as a program prints the measures too
    arena run self_ensembling -o models=local/Qwen/Qwen3-1.7B -o questions=my.jsonl \\
        -o readout=choices
    arena run self_ensembling -o combine=max_vote -o shots=16 -o held_out=100

Every model answers every question in `variations` prompts, which differ by the examples that they
show, by the template, or by both: an arm each, beside one prompt alone.  The last `held_out`
questions are the examples.  Options are scored where a model gives their probabilities
(`readout=choices`, questions with options); else each prompt is sampled `draws` times.

What could be checked of the paper:

    in words       self-ensembling improves calibration (ECE) at equal accuracy, over examples,
                   templates and both, where data are few
    numbers        not known: its tables were not available

Comparable: whether ECE falls from the arm `single` to the others, and accuracy does not.  Not
comparable: the paper's models, its data sets of classification, its templates.  With simulated
solvers nothing can be compared: examples and templates do not move them, so that the arms differ by
the number of draws alone; the accuracy of so many draws is known, and stands in the right column.
"""

from __future__ import annotations

import numpy as np

from agents import agent
from agents.simulated.questions import simulated_questions
from agents.simulated.truth import expected_majority
from analysis.reports.tables.formatting import decimal
from analysis.statistics.calibration import auroc, ece
from arena import Arena, Arm, Sampling, Study
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from protocols.self_ensembling import Combine, Labels, Readout, examples_of, self_ensembling

SOLVERS = ["sim/solver:shared=0.0", "sim/solver:shared=0.0:ability=1.0"]
ANSWERS = """
    select e.arm, s.model, a.correct::double, a.confidence
    from answers a join episodes e using (episode) join seats s using (episode, seat)
    where e.study = ? and a.final and e.status = 'done' and a.correct is not null
        and a.confidence is not null
"""


def study(
    *,
    models: list[str] = SOLVERS,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 60,
    held_out: int = 8,
    shots: int = 4,
    variations: int = 5,
    draws: int = 5,
    combine: Combine = "mean_prob",
    readout: Readout = "sampling",
    labels: Labels = "letters",
    temperature: float | None = None,
) -> Study:
    """Return one arm with a single prompt, and one for each kind of variation.

    `questions` is a file or a name of the hub, or else `number` simulated questions.
    """
    sampling = Sampling(temperature=temperature)
    lineups = [{"solver": agent(reference, sampling=sampling)} for reference in models]
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number + held_out)
    )
    asked, kept = subjects[: len(subjects) - held_out], subjects[len(subjects) - held_out :]
    options: dict[str, object] = {
        "examples": examples_of(kept) if held_out else [],
        "shots": shots,
        "draws": draws,
        "combine": combine,
        "readout": readout,
        "labels": labels,
    }
    several = {"examples": "examples", "templates": "templates", "both": "both"}
    arms = [
        Arm("single", self_ensembling, lineups, {**options, "variations": 1, "vary": "templates"}),
        *(
            Arm(
                label, self_ensembling, lineups, {**options, "variations": variations, "vary": vary}
            )
            for label, vary in several.items()
            if held_out or vary != "examples"
        ),
    ]
    return Study(f"self_ensembling_{combine}", arms, asked)


def show_results(arena: Arena, played: Study) -> None:
    """Print accuracy and calibration by arm and model, beside the planted accuracy if known."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for arm, model, correct, confidence in arena.sql(ANSWERS, [played.name]).rows:
        found.setdefault((model, arm), []).append((correct, confidence))
    options = {arm.label: arm.options for arm in played.arms}
    print(f"\n{'model':36} {'arm':10}    n accuracy confidence   ECE AUROC   planted accuracy")
    for (model, arm), pairs in sorted(found.items()):
        correct, confidence = np.array(pairs).T
        numbers = (
            correct.mean(),
            confidence.mean(),
            ece(confidence, correct),
            auroc(confidence, correct),
        )
        accuracy, stated, error, area = (f"{decimal(float(each), 3):>5}" for each in numbers)
        row = f"{model:36} {arm:10} {len(pairs):4}    {accuracy}      {stated} {error} {area}"
        own = options[arm]
        draws = int(str(own["variations"])) * int(str(own["draws"]))
        # The mean of shares of equally many draws is the majority of all draws.
        if model.startswith("sim/solver") and own["combine"] == "mean_prob" and draws <= 100:
            planted = expected_majority(model[4:], played.subjects, draws)
            row += f"              {planted:.3f}"
        print(row)
    if any(model.startswith("sim/") for model, _ in found):
        print("SIMULATED: nothing can be compared with the paper.")


if __name__ == "__main__":
    run_study_program(__file__, show_results)
