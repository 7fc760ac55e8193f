"""Does a model know whether its answer is right?  P(True) and its forms, to copy and change.

The paper is "Language Models (Mostly) Know What They Know" (Saurav Kadavath et al., arXiv
2207.05221).

    arena run p_true                     simulated solvers and questions, no key, seconds
    python p_true.py                     this file as a program prints the measures too
    arena run p_true -o models=local/Qwen/Qwen3-1.7B -o questions=my.jsonl -o shots=20
    arena run p_true -o estimators=p_true_empirical,self_probing -o models=openai/gpt-5-mini \\
        -o questions=my.jsonl

Every model answers every question `samples` times; then it is asked about each answer: whether it
is True, by the probabilities of True and False (p_true; models with "choices"), after its other
answers were shown (p_true_own_samples), by `replies` sampled words (p_true_empirical), and how
likely it is that it is right, in words (self_probing).  With `shots`, that many examples stand
before p_true's question: questions that are held out, half of them with a wrong answer.

What could be checked of the paper:

    in words       20 examples calibrate far better than none; the model's own samples, shown
                   before, help; larger models know better; a model tuned by RLHF needs a
                   temperature of about 2.5 to be calibrated
    numbers        not known: its tables were not available

Comparable: whether p_true_own_samples has a higher AUROC and a lower Brier score than p_true, and
whether examples lower the Brier score.  Not comparable: the paper's models (0.8B to 52B) and data
sets.  With the simulated solvers nothing can be compared: they give True the chance that was
planted in them, whatever is shown, so that AUROC and Brier score are those of that chance.
"""

from __future__ import annotations

from math import nan

import numpy as np

from agents import agent
from agents.simulated.questions import simulated_questions
from agents.simulated.truth import expected_accuracy
from analysis.reports.tables.formatting import decimal
from analysis.statistics.calibration import auroc, brier
from arena import Arena, Arm, Sampling, Stage, Study
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from protocols.estimators.p_true import examples_of
from protocols.scoring import Wanted, score
from protocols.self_consistency import self_consistency

ESTIMATORS = ["p_true", "p_true_own_samples", "p_true_empirical", "self_probing"]
SOLVERS = ["sim/solver:discrimination=0.3", "sim/solver:ability=1.0:bias=0.0"]
# The final answer repeats one of the paths, which alone were scored.
SCORES = """
    select s.name, seats.model, a.correct::double, s.value
    from latest_scores s join answers a using (episode, seat) join seats using (episode, seat)
    join episodes e using (episode)
    where e.study = ? and not a.final order by all
"""


def study(
    *,
    models: list[str] = SOLVERS,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 60,
    samples: int = 5,
    estimators: list[str] = ESTIMATORS,
    shots: int = 0,
    replies: int = 10,
    temperature: float | None = None,
) -> list[Study | Stage]:
    """Return the answers, and the stage that scores them.

    `questions` is a file or a name of the hub, or else `number` simulated questions.  With `shots`
    the last `shots` questions are held out as examples.
    """
    lineups = [
        {"solver": agent(reference, sampling=Sampling(temperature=temperature))}
        for reference in models
    ]
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number + shots)
    )
    scored, held_out = subjects[: len(subjects) - shots], subjects[len(subjects) - shots :]
    arm = Arm("answers", self_consistency, lineups, {"paths": samples})
    few = f"_{shots}_shots" if shots else ""
    answers = Study(f"p_true{few}", [arm], scored)
    examples = examples_of(held_out, shots) if shots else []
    options: dict[str, dict[str, object]] = {
        name: {"examples": examples} for name in estimators if shots and name != "self_probing"
    }
    if "p_true_empirical" in estimators:
        options.setdefault("p_true_empirical", {})["replies"] = replies
    wanted: list[Wanted] = [(name, options.get(name, {})) for name in estimators]
    return [answers, score(f"p_true{few} scores", of=answers, estimators=wanted)]


def show_results(arena: Arena, played: Study) -> None:
    """Print how well each estimator knows which answers are right."""
    of = played.name.removesuffix(" scores")
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for name, model, correct, value in arena.sql(SCORES, [of]).rows:
        pair = (nan if correct is None else correct, nan if value is None else value)
        found.setdefault((name, model), []).append(pair)
    print(f"\n{'estimator':20} {'model':40}    n missing accuracy  mean Brier AUROC")
    for (name, model), pairs in sorted(found.items()):
        correct, value = np.array([pair for pair in pairs if not np.isnan(pair).any()]).T
        numbers = (correct.mean(), value.mean(), brier(value, correct), auroc(value, correct))
        cells = " ".join(f"{decimal(float(each), 3):>5}" for each in numbers)
        print(f"{name:20} {model:40} {len(pairs):4} {len(pairs) - len(value):7}    {cells}")
    for model in sorted({model for _, model in found}):
        if model.startswith("sim/solver"):
            planted = expected_accuracy(model[4:], simulated_questions(len(played.subjects)))
            print(f"planted accuracy of {model}: {planted:.3f}")


if __name__ == "__main__":
    run_study_program(__file__, show_results)
