"""Do models that reason know when they are right, and when they do not know?  To copy and change.

The paper is "Thinking Out Loud: Do Reasoning Models Know When They're Right?" (Qingcheng Zeng et
al., arXiv 2504.06564).

    arena run thinking_out_loud            simulated solvers and questions, no key, seconds
    arena report --study thinking_out_loud
    arena run thinking_out_loud -o questions=simpleqa.csv \\
        -o models=http/base@URL,http/r1-distill@URL,http/r1@URL -o stages=instruct,sft,rl

Every model answers every question after as much reasoning as it likes, says how sure it is, or that
it does not know.  `stages` names the training stage of each of `models`, in their order; models of
one stage are one arm.

What could be checked of the paper, which compares instruction-tuned models, models tuned on traces
of reasoning and models trained by reinforcement on mathematics, facts and science:

    in words      training on traces and then reinforcement each improve the stated confidence in
                  tasks that need reasoning; models that reason say "I don't know" much less often
                  on facts; shorter chains of thought go with higher confidence
    prompts, tables, shares and correlations     not known: they were not available

Comparable: the order of stages by ECE and AUROC on one task, that of their shares of "I don't
know" on questions of facts, and the sign of the correlation.  With the simulated solvers nothing
can be compared: `abstains` and `wanders` were planted, and the stages are names alone.
"""

from __future__ import annotations

from agents import agent
from agents.simulated.questions import simulated_questions
from arena import Arena, Arm, Sampling, Study
from arena.cli.study_program import run_study_program
from arena.errors import StudyError
from arena.studies.questions import questions as read_questions
from protocols.thinking_out_loud import thinking_out_loud

SOLVERS = [
    "sim/solver:abstains=0.2:bias=0.3",
    "sim/solver:abstains=0.1:bias=0.15:wanders=0.5",
    "sim/solver:abstains=0.05:bias=0.05:discrimination=0.3:wanders=1",
]
STAGES = ["instruct", "sft", "rl"]


def study(
    *,
    models: list[str] = SOLVERS,
    stages: list[str] = STAGES,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 100,
    may_not_know: bool = True,
    temperature: float | None = None,
    max_tokens: int | None = None,
    repeats: int = 1,
) -> Study:
    """Return one arm for each training stage, with the models of that stage.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` simulated questions.  `temperature` None leaves it to the provider.
    """
    if len(stages) != len(models):
        raise StudyError(
            f"{len(models)} models need as many stages, found {len(stages)}: name the training"
            " stage of each model in their order, such as -o stages=instruct,rl"
        )
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    options = {"may_not_know": may_not_know}
    arms = [
        Arm(
            stage,
            thinking_out_loud,
            [
                {"solver": agent(reference, sampling=sampling)}
                for reference, its in zip(models, stages, strict=True)
                if its == stage
            ],
            options,
        )
        for stage in dict.fromkeys(stages)
    ]
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number)
    )
    return Study("thinking_out_loud", arms, subjects, repeats)


def show_results(arena: Arena, played: Study) -> None:
    """Print the study's report."""
    print(arena.report(played.name))


if __name__ == "__main__":
    run_study_program(__file__, show_results)
