"""Do tokens and meanings tell which answers are right?  SAR, CCP, Chow quantiles, semantic entropy.

The papers are "Shifting Attention to Relevance" (SAR, Jinhao Duan et al., arXiv 2307.01379),
"Fact-Checking the Output of Large Language Models via Token-Level Uncertainty Quantification" (CCP,
Ekaterina Fadeeva et al., 2403.04696), "Language Model Cascades" (Chow quantiles, Neha Gupta et al.,
2404.10136), and "Detecting hallucinations in large language models using semantic entropy"
(Sebastian Farquhar et al., Nature 630, 2024).

    arena run token_uncertainty                        simulated solvers, no key, seconds
    python token_uncertainty.py                        this file as a program prints the table too
    python token_uncertainty.py models=toy/sum         the toy that adds three numbers, two minutes
    arena run token_uncertainty -o models=local/Qwen/Qwen3-1.7B -o questions=my.jsonl \\
        -o entailment=nli/microsoft/deberta-large-mnli \\
        -o similarity=similarity/cross-encoder/stsb-roberta-large

Every model answers every question `samples` times, with the log probabilities of its tokens; the
stored answers are scored by `estimators`, with one request to the model of entailment a question,
and one a reply to that of similarity.

What could be checked of the papers:

    semantic entropy    AUROC 0.790, the mean of 30 pairs of task and model; naive entropy 0.691,
                        P(True) 0.698; between 0.78 and 0.81 by family of models
    SAR                 above semantic entropy and the log probability on four data sets of
                        questions, for models up to 33B; numbers not known
    CCP                 above the probability of a claim, its perplexity and entropy, for claims of
                        biographies by seven models; numbers not known
    Chow quantiles      above the sum of log probabilities, which is biased by length, for
                        deferring to a larger model; numbers not known

Comparable: AUROC over questions with those of semantic entropy, where models of like size answer
short questions of knowledge and a real model of entailment reads them.  Not comparable: the papers'
data sets, their choice of one answer a question, CCP on single claims.  With simulated solvers
nothing can be compared: their answers' tokens have the chances that were planted in them, and
sim/pairs knows equal answers by rule.  It reads the toy's answers, too, but the toy's probabilities
are its own.
"""

from __future__ import annotations

from math import nan

import numpy as np

from agents import agent
from agents.simulated.questions import simulated_questions
from agents.toy.problems import sums
from analysis.reports.tables.formatting import decimal
from analysis.statistics.pair_auroc import pair_aurocs
from arena import Arena, Arm, Sampling, Stage, Study
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from protocols.scoring import score
from protocols.self_consistency import self_consistency

TOY = "toy/sum"
SOLVERS = ["sim/solver:shared=0.0", "sim/solver:shared=0.6:ability=0.5"]
PAIRS = "sim/pairs"
ESTIMATORS = [
    *("semantic_entropy", "semantic_entropy_by_answer", "sar", "sar_every", "ccp"),
    *("claim_logprob_weakest", "logprob_sum", "chow_quantile_0", "lexical_similarity", "length"),
]
# AUROC as the paper gives it, over questions.
PUBLISHED = {"semantic_entropy": 0.790}
# The final answer repeats one of the paths, which alone were scored.
SCORES = """
    select s.name, seats.model, e.subject, a.correct::double, s.value, t.simulated
    from latest_scores s join answers a using (episode, seat) join seats using (episode, seat)
    join episodes e using (episode) join studies t on t.study = e.study
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
    entailment: str = PAIRS,
    similarity: str = PAIRS,
    temperature: float | None = None,
    max_tokens: int | None = None,
) -> list[Study | Stage]:
    """Return the answers, and the stage that scores them.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` simulated questions, of the toy sums.  `entailment` and `similarity` are models of
    pairs of texts, or agents that are asked in words.  `temperature` is by default 1.7 for the toy:
    below it is hardly wrong.
    """
    toy = all(reference == TOY for reference in models)
    sampling = Sampling(
        temperature=1.7 if toy and temperature is None else temperature,
        max_tokens=100 if toy and max_tokens is None else max_tokens,
        logprobs=10,
    )
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else sums(number)
        if toy
        else simulated_questions(number)
    )
    lineups = [{"solver": agent(reference, sampling=sampling)} for reference in models]
    name = "token_uncertainty_toy" if toy else "token_uncertainty"
    answers = Study(name, [Arm("answers", self_consistency, lineups, {"paths": samples})], subjects)
    scores = score(
        f"{name} scores",
        of=answers,
        estimators=estimators,
        entailment=agent(entailment),
        similarity=agent(similarity),
    )
    return [answers, scores]


def show_results(arena: Arena, played: Study) -> None:
    """Print how well each estimator knows which questions are hard, and which answers are right."""
    rows = arena.sql(SCORES, [played.name.removesuffix(" scores")]).rows
    found: dict[tuple[str, str], list[tuple[str, float, float]]] = {}
    for name, model, subject, correct, value, _ in rows:
        pair = (subject, nan if correct is None else correct, nan if value is None else value)
        found.setdefault((model, name), []).append(pair)
    if any(row[-1] for row in rows):
        print("\nSIMULATED: nothing here says anything about language models.")
    columns = "missing  over questions  within a question  published"
    print(f"\n{'model':36} {'estimator':42} {columns}")
    for (model, name), pairs in sorted(found.items()):
        known = [pair for pair in pairs if not np.isnan(pair[1:]).any()]
        numbers = ["-", "-"]
        if known:
            question = np.unique([subject for subject, _, _ in known], return_inverse=True)[1]
            correct, value = np.array([pair[1:] for pair in known]).T
            weights = np.ones((1, int(question.max()) + 1))
            areas = pair_aurocs(value, correct, question.astype(np.int64), weights)
            numbers = [decimal(float(each[0]), 3) for each in (areas.over, areas.within)]
        published = f"{PUBLISHED[name]:.3f}" if name in PUBLISHED else "not known"
        print(
            f"{model:36} {name:42} {len(pairs) - len(known):7} {numbers[0]:>15}"
            f" {numbers[1]:>18}  {published}"
        )


if __name__ == "__main__":
    run_study_program(__file__, show_results)
