"""Does reasoning make a model surer of its option, even of a wrong one?  To copy and change.

The paper is "Multiple Choice Questions: Reasoning Makes Large Language Models (LLMs) More
Self-Confident Even When They Are Wrong" (Tairan Fu et al., arXiv 2501.09775).

    arena run option_probability           the toy that adds three numbers, no key, a minute
    arena run option_probability -o models=local/Qwen/Qwen2.5-7B-Instruct \\
        -o questions=mmlu.jsonl
    arena run option_probability -o models=vllm/llama@http://127.0.0.1:8000/v1 \\
        -o questions=mmlu.jsonl            a vLLM server

Every model answers every question twice: at once, and after reasoning.  Both times its options are
scored and the likeliest is its answer.  A file of questions has `question`, `answer` and `choices`.
Models must score given options and continue a prefill: local ones, and vLLM servers.

What could be checked of the paper, on seven models and 57 subjects of MMLU:

    in words      the probability of the chosen option is higher after reasoning, of right and of
                  wrong answers
    by subject    changes of accuracy and of probability (all, right, wrong): not known, the tables
                  were not available

Comparable: the sign of the change over all, right and wrong items of the same model and questions.
With the toy nothing can be compared: it was made to add digit by digit, so that it is near chance
at once and nearly sure afterwards.
"""

from __future__ import annotations

import random

from agents import agent
from agents.toy.problems import sums
from arena import Arena, Arm, Sampling, Study
from arena.cli.study_program import run_study_program
from arena.errors import StudyError
from arena.studies.questions import questions as read_questions
from arena.types import Subject
from protocols.option_probability import Scored, option_probability, reason_against

TOY = "toy/sum"
MODELS = [TOY]


def study(
    *,
    models: list[str] = MODELS,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    choices: str | None = None,
    number: int = 60,
    temperature: float | None = None,
    repeats: int = 1,
    max_tokens: int | None = None,
) -> Study:
    """Return one arm with every model.

    `questions` is a file or a name of the hub, with the columns `question`, `answer` and `choices`,
    or else `number` sums with four options, whose texts are scored since the toy knows no letters.
    `temperature` is that of the reasoning, by default 1.7 for the toy: below it is hardly wrong.
    """
    toy = all(reference == TOY for reference in models)
    scored: Scored = "text" if toy else "letter"
    sampling = Sampling(
        temperature=1.7 if toy and temperature is None else temperature,
        max_tokens=100 if toy and max_tokens is None else max_tokens,
    )
    solvers = [agent(reference, sampling=sampling) for reference in models]
    for solver in solvers:
        if (why_not := reason_against(solver.model)) is not None:
            raise StudyError(why_not)
    lineups = [{"solver": solver} for solver in solvers]
    subjects = (
        read_questions(questions, question=question, gold=answer, choices=choices)
        if questions
        else sums_with_options(number)
    )
    arm = Arm("option_probability", option_probability, lineups, {"scored": scored})
    return Study("option_probability", [arm], subjects, repeats)


def sums_with_options(number: int) -> tuple[Subject, ...]:
    """Return sums of the toy with four options each: the sum, and near ones."""
    rng = random.Random("options of sums")
    questions = []
    for each in sums(number):
        assert each.gold is not None
        options = [str(int(each.gold) + wrong) for wrong in (0, 1, 10, -10)]
        rng.shuffle(options)
        right = "ABCD"[options.index(each.gold)]
        questions.append(
            Subject(each.text, "question", right, tuple(options), each.source, each.licence)
        )
    return tuple(questions)


def show_results(arena: Arena, played: Study) -> None:
    """Print the study's report."""
    print(arena.report(played.name))


if __name__ == "__main__":
    run_study_program(__file__, show_results)
