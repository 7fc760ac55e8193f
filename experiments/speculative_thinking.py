"""Does it help a small model if a larger one takes over where it reflects?  To copy and change.

The paper is "Speculative Thinking: Enhancing Small-Model Reasoning with Large Model Guidance at
Inference Time" (Wang Yang et al., arXiv 2504.12329).

    arena run speculative_thinking         the toy, hot, helped by itself at temperature 0
    arena run speculative_thinking -o smaller=local/deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B \\
        -o larger=local/deepseek-ai/DeepSeek-R1-Distill-Qwen-32B -o questions=math500.jsonl \\
        -o form=engine                     both on this machine, handed over token by token
    arena run speculative_thinking -o smaller=vllm/SMALL -o larger=vllm/LARGE -o questions=...
                                           two servers, piece by piece
    arena report --study speculative_thinking

Arms: each model alone (smaller, larger), the handover by the words of the paper (by words), and
the larger model at every paragraph (every), as the paper does for small models that do not reason.
With `form=protocol` each piece is a call, and the models may have temperatures of their own; with
`form=engine` a reply is one call to a local model, which samples for both.

What could be checked of the paper, on MATH500:

    R1-Distill-Qwen-1.5B with 32B      83.2% -> 89.4%, tokens 5,439 -> 4,583 (-15.7%)
    Qwen2.5-7B-Instruct, every         74.0% -> 81.8%
    settings                           temperature 0.6, top-k 50, top-p 0.95
    other tables                       not known

Comparable: the differences, with these models and settings (form=engine).  The toy writes no word
of reflection, so that by words it is never helped, and at every paragraph almost always.
"""

from __future__ import annotations

from typing import Literal

from agents import agent
from agents.toy.problems import sums
from arena import Arm, Sampling, Study
from arena.decoding import SpeculativeThinking
from arena.studies.questions import questions as read_questions
from protocols.single import single
from protocols.speculative_thinking import speculative_thinking

TOY = "toy/sum"


def study(
    *,
    smaller: str = TOY,
    larger: str = TOY,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 20,
    form: Literal["protocol", "engine"] = "protocol",
    piece: int | None = None,
    limit: int | None = None,
    temperature: float | None = None,
    larger_temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    repeats: int = 1,
) -> Study:
    """Return the four arms.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` sums.  `limit` is the most tokens of a thought, `piece` those of a draft.  The toy
    thinks in 8 tokens a paragraph, at temperature 1.7, and helps itself at 0.
    """
    is_toy = smaller.startswith("toy/")
    subjects = (
        read_questions(questions, question=question, gold=answer) if questions else sums(number)
    )
    size = piece or (8 if is_toy else 20)
    longest = limit or (120 if is_toy else 8192)
    heats = (1.7, 0.0) if is_toy else (0.6, 0.6)
    heat = heats[0] if temperature is None else temperature
    sampling = Sampling(heat, top_p, longest, top_k=top_k)
    cold = heats[1] if larger_temperature is None else larger_temperature
    small = agent(smaller, name="smaller", sampling=sampling)
    large = agent(larger, name="larger", sampling=Sampling(cold, top_p, longest, top_k=top_k))
    arms = [
        Arm("smaller", single, [{"solver": small}]),
        Arm("larger", single, [{"solver": large}]),
    ]
    for label, every in (("by words", False), ("every", True)):
        if form == "protocol":
            options: dict[str, object] = {"limit": longest, "piece": size, "every": every}
            options |= {"first_tokens": size} if every and is_toy else {}
            lineup = {"smaller": small, "larger": large}
            arms.append(Arm(label, speculative_thinking, [lineup], options))
            continue
        first = size if is_toy else 100
        way = SpeculativeThinking(larger, piece=size, every=every, first_tokens=first)
        helped = Sampling(heat, top_p, longest, top_k=top_k, decoding=way)
        arms.append(Arm(label, single, [{"solver": agent(smaller, name=label, sampling=helped)}]))
    return Study("speculative_thinking", arms, subjects, repeats)
