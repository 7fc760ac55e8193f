"""How soon may a thought end?  A stop by self-certainty, at several thresholds, to copy.

The method is ours: it ends a thought once the mean self-certainty of its last tokens is high
enough.  Self-certainty is that of "Scalable Best-of-N Selection for Large Language Models via
Self-Certainty" (Zhewei Kang et al., arXiv 2502.18581), which ranks whole replies by it and stops
none, so that no number of that paper is comparable.

    arena run certainty_stop               the toy that adds three numbers, a minute, no network
    arena run certainty_stop -o model=local/Qwen/Qwen3-1.7B -o questions=gsm8k.jsonl \\
        -o thresholds=14,16,18 -o window=64 -o end="</think>"
    arena report --study certainty_stop
    arena sql "select arm, avg(value) from measures join turns using (episode, seat, step)
        join episodes using (episode) where name = 'thought_tokens' group by all order by all"

Arms: a thought that ends by itself (plain), and one for each of `thresholds` (nats).  What a
threshold means depends on the vocabulary: look at self_certainty_mean of plain replies first.

The toy shows how it fails: it is sure of each step, and needs all of them.  A model that is sure
while it still computes is cut off before it knows the answer, and the lower the threshold, the
sooner.
"""

from __future__ import annotations

from agents import agent
from agents.toy.problems import sums
from arena import Arm, Sampling, Study
from arena.decoding import CertaintyStop
from arena.studies.questions import questions as read_questions
from protocols.single import single

TOY = "toy/sum"
# Where the thought of the toy ends.
TOY_END = "\\boxed{"
THRESHOLDS = [9.0, 10.2, 11.0]


def study(
    *,
    model: str = TOY,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 40,
    thresholds: list[float] = THRESHOLDS,
    window: int = 16,
    least: int = 0,
    end: str | None = None,
    temperature: float = 1.0,
    max_tokens: int | None = None,
    repeats: int = 1,
) -> Study:
    """Return the plain arm, and one for each threshold.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` sums.  `end` ends a thought, `window` and `least` count tokens.
    """
    is_toy = model.startswith("toy/")
    subjects = (
        read_questions(questions, question=question, gold=answer) if questions else sums(number)
    )
    ends = end or (TOY_END if is_toy else "</think>")
    longest = max_tokens or (120 if is_toy else None)
    ways: dict[str, CertaintyStop | None] = {"plain": None}
    for threshold in thresholds:
        ways[f"sure-{threshold:g}"] = CertaintyStop(threshold, window, least, ends)
    arms = []
    for label, way in ways.items():
        sampling = Sampling(temperature=temperature, max_tokens=longest, decoding=way)
        arms.append(Arm(label, single, [{"solver": agent(model, sampling=sampling)}]))
    return Study("certainty_stop", arms, subjects, repeats)
