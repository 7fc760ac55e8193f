"""When is it worth asking a larger model?  Cascades by what a small model's tokens say, to copy.

The paper is "Language Model Cascades: Token-level uncertainty and beyond" (Neha Gupta et al., arXiv
2404.10136).

    arena run cascades                     simulated solvers and questions, no key, seconds
    python cascades.py                     this file as a program prints the table too
    arena run cascades -o small=openai/gpt-5-nano -o large=openai/gpt-5 -o questions=my.jsonl
    arena run cascades -o small=local/Qwen/Qwen3-0.6B -o large=local/Qwen/Qwen3-8B

Both models answer every question.  The small one's replies are scored by token probabilities: their
sum and mean (chow_sum and chow_average of the paper: logprob_sum, logprob_mean) and their quantiles
(chow_quantile_0 is the weakest token).  Questions of the lowest values are deferred to the large
model; the cost-quality curve goes through all thresholds.  token_quantiles has all quantiles as
features: the learned rule is a logistic regression on them, cross-fitted by question.

What could be checked of the paper:

    in words       sums prefer short replies and means forget their weakest token; quantiles mend
                   both, and a rule learned of several quantiles is better still
    numbers        not known: its tables were not available

Comparable: the gains of logprob_sum, logprob_mean, the best quantile and the learned rule, in their
order.  Different: the rule is logistic regression, not a perceptron, and takes no embeddings.  Not
comparable: the paper's models (FLAN-T5) and tasks.  With the simulated solvers nothing can be
compared: their answer's token holds the chance that was planted, and all other tokens are nearly
certain, so that the weakest token knows all that there is to know.
"""

from __future__ import annotations

from agents import agent
from agents.simulated.questions import simulated_questions
from analysis.reports.cascades import cascade_document, read_cascade
from analysis.reports.terminal import print_documents
from arena import Arena, Arm, Sampling, Stage, Study
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from protocols.scoring import score
from protocols.single import single

SMALL = "sim/solver:ability=-0.5:shared=0"
LARGE = "sim/solver:ability=1.5:shared=0:seed=1"
ESTIMATORS = ["length", "logprob_sum"]  # one pass over the tokens gives all numbers of tokens


def study(
    *,
    small: str = SMALL,
    large: str = LARGE,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 300,
    estimators: list[str] = ESTIMATORS,
    max_tokens: int | None = None,
) -> list[Study | Stage]:
    """Return the answers of both models, and the stage that scores them.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` simulated questions.
    """
    sampling = Sampling(logprobs=5, max_tokens=max_tokens)
    lineups = [
        {"solver": agent(reference, name=name, sampling=sampling)}
        for name, reference in (("small", small), ("large", large))
    ]
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number)
    )
    answers = Study("cascades", [Arm("answers", single, lineups)], subjects)
    return [answers, score("cascades scores", of=answers, estimators=estimators)]


def show_results(arena: Arena, played: Study) -> None:
    """Print what each way to defer is worth."""
    of = played.name.removesuffix(" scores")
    print_documents([cascade_document(read_cascade(arena.path, of, "small", "large"))])


if __name__ == "__main__":
    run_study_program(__file__, show_results)
