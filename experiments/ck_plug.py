"""Does a model believe what it is told, or what it knows?  CK-PLUG by alpha, to copy and change.

The paper is "Parameters vs. Context: Fine-Grained Control of Knowledge Reliance in Language Models"
(Baolong Bi et al., arXiv 2503.15888).

    arena run ck_plug                      the toy that adds three numbers, told wrong sums
    arena run ck_plug -o model=local/meta-llama/Meta-Llama-3-8B-Instruct -o questions=facts.jsonl
    arena report --study ck_plug
    arena sql "select arm, name, avg(value) from measures join turns using (episode, seat, step)
        join episodes using (episode) where name in ('adjusted_tokens', 'confidence_gain_mean')
        group by all order by all"

A file has the columns `question`, `answer` (what the model knows, or should), and `passage` (which
says otherwise).  Arms: without the passage (closed), with it (context), and with both passes
weighed at each of `alphas` and by the entropies (adaptive).  Accuracy is the share of answers as
the model knows them, the paper's memory recall.

What could be checked of the paper:

    memory recall, Llama-3-8B      9.9% to 71.9% by alpha, around 42.1% without CK-PLUG
    the rule                       stated: H(p) - H(c) < 0; released: H(p) - 2 H(c) < 0 (`rule`)
    tables                         not known: other models, data sets and seeds were not available

Comparable: that accuracy rises with alpha, on data of that kind.  Tokens are adjusted only where
the passage makes the model less sure: one that believes the passage at once is not brought back by
any alpha.  The toy cannot read what it is told, so that its arms differ little: it shows that all
runs, not that it works; tests/agents/local/decoding/test_knowing.py has a model that knows and is
told otherwise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from agents import agent
from agents.toy.problems import sums
from arena import Arm, Sampling, Study
from arena.studies.questions import questions as read_questions
from protocols.ck_plug import ck_plug

TOY = "toy/sum"
ALPHAS = [0.0, 0.5, 1.0]


def study(
    *,
    model: str = TOY,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    passage: str = "passage",
    number: int = 20,
    alphas: list[float] = ALPHAS,
    epsilon: float = 0.0,
    rule: Literal["stated", "released"] = "stated",
    temperature: float = 0.0,
    max_tokens: int | None = None,
    repeats: int = 1,
) -> Study:
    """Return the arms closed, context, one for each alpha, and adaptive.

    `questions` is a file or a name of the hub, with columns for the question, its answer and a
    passage, or else `number` sums with a passage that gives another one.
    """
    is_toy = model.startswith("toy/")
    subjects = (
        read_questions(questions, question=question, gold=answer, passage=passage)
        if questions
        else [
            replace(each, passage=f"{each.text} It is {int(each.gold or 0) + 10}.")
            for each in sums(number)
        ]
    )
    longest = max_tokens or (120 if is_toy else None)
    solver = agent(model, sampling=Sampling(temperature=temperature, max_tokens=longest))
    options: dict[str, dict[str, object]] = {
        "closed": {"method": "closed"},
        "context": {"method": "context"},
    }
    same: dict[str, object] = {"epsilon": epsilon, "rule": rule}
    for alpha in alphas:
        options[f"alpha-{alpha:g}"] = {**same, "alpha": alpha}
    options["adaptive"] = {**same, "adaptive": True}
    arms = [Arm(label, ck_plug, [{"solver": solver}], each) for label, each in options.items()]
    return Study("ck_plug", arms, subjects, repeats)
