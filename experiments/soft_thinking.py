"""Does a model think better in mixtures of tokens?  Soft Thinking on local models, to copy.

The paper is "Soft Thinking: Unlocking the Reasoning Potential of LLMs in Continuous Concept Space"
(Zhen Zhang et al., arXiv 2505.15778).

    arena run soft_thinking                the toy that adds three numbers, a minute, no network
    arena run soft_thinking -o model=local/Qwen/QwQ-32B -o questions=math500.jsonl \\
        -o temperature=0.6 -o max_tokens=32768
    arena report --study soft_thinking
    arena sql "select arm, name, avg(value) from measures join turns using (episode, seat, step)
        join episodes using (episode) where name in ('concept_tokens', 'thought_tokens')
        group by all order by all"

Arms: a sampled thought (plain), the likeliest token at each place (greedy thought), concept tokens
as published (soft), and the same without a cold stop (soft, no cold stop).  The answer after the
thought is sampled at `temperature` in all of them.

What could be checked of the paper:

    pass@1      up to +2.48 points over a sampled chain of thought
    tokens      up to -22.4%
    in words    weak for models up to 7B, and even 14B, as its code's page says; no training
    tables      not known: neither per-task numbers nor seeds were available

The published settings are the defaults: temperature 0.6, top-p 0.95, top-k 30, min-p 0.001, ten
tokens a mixture, and a cold stop after 256 tokens with an entropy below 0.01 nats.  Comparable: the
sign of soft minus plain, and of soft minus greedy thought, which the paper has not and which tells
whether mixing helps or only not sampling; the share of tokens saved.  The toy was trained on tokens
alone, and is so sure of them that few are mixed; with `temperature=1.7` its sampled thoughts go
wrong and the others do not.
"""

from __future__ import annotations

from dataclasses import replace

from agents import agent
from agents.toy.problems import sums
from arena import Arm, Sampling, Study
from arena.decoding import SoftThinking
from arena.studies.questions import questions as read_questions
from protocols.single import single

TOY = "toy/sum"
# Where the thought of the toy ends.
TOY_END = "\\boxed{"


def study(
    *,
    model: str = TOY,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 40,
    end: str | None = None,
    concepts: int = 10,
    cold_tokens: int = 256,
    thought_temperature: float = 0.6,
    temperature: float = 1.0,
    max_tokens: int | None = None,
    repeats: int = 1,
) -> Study:
    """Return the four arms.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` sums.  `end` ends a thought; `thought_temperature` is that of concept tokens.
    """
    is_toy = model.startswith("toy/")
    subjects = (
        read_questions(questions, question=question, gold=answer) if questions else sums(number)
    )
    soft = SoftThinking(
        temperature=thought_temperature,
        concepts=concepts,
        cold_tokens=cold_tokens,
        end=end or (TOY_END if is_toy else "</think>"),
    )
    ways = {
        "plain": None,
        "greedy thought": replace(soft, temperature=0.0, cold_entropy=0.0),
        "soft": soft,
        "soft, no cold stop": replace(soft, cold_entropy=0.0),
    }
    longest = max_tokens or (120 if is_toy else None)
    arms = []
    for label, way in ways.items():
        sampling = Sampling(temperature=temperature, max_tokens=longest, decoding=way)
        arms.append(Arm(label, single, [{"solver": agent(model, sampling=sampling)}]))
    return Study("soft_thinking", arms, subjects, repeats)
