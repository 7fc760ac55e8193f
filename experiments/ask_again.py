"""Do right answers stay and wrong ones get mended when asked again?  To copy and change.

The paper is "Confidence v.s. Critique: A Decomposition of Self-Correction Capability for LLMs"
(Zhe Yang et al., arXiv 2412.19513).

    arena run ask_again                    simulated solvers and questions, no key, seconds
    arena run ask_again -o models=openai/gpt-4o-mini -o questions=gsm8k.jsonl -o samples=10
    arena run ask_again -o models=local/Qwen/Qwen2.5-7B-Instruct -o form=options \\
        -o questions=mmlu.jsonl            nothing is drawn: probabilities of the options
    arena report --study ask_again                 CL, CS and RSS by arm, under "Who changed"

Every model answers every question (`samples` times), and each answer is followed by the same
question in the same conversation: as it is (`question`), with a word to hold to the answer
(`confidence`), or with one to distrust it (`critique`); an arm for each of `prompts`.

What could be checked of the paper:

    form          Acc2 = Acc1 CL + (1 - Acc1) CS; RSS is 0.5 where nothing changes
    11 models,    CL about 0.9 for most, CS mostly 0.01 to 0.20; Llama3-8B and GLM4 change much
    6 data sets   (low CL, high CS), DeepSeek-7B and Mistral little; prompts trade CL for CS; on
                  GSM8K the RSS of GPT-3.5-Turbo is above that of GPT-4-Turbo
    tables        not known: they were not available, nor the prompts' words

Comparable: CL, CS and RSS of the same model on the same questions with `prompts=question`.  With
the simulated solvers nothing can be compared: CL and CS were planted (`stays`, `corrects`), and are
printed beside what was measured.
"""

from __future__ import annotations

from agents import agent
from agents.simulated.questions import simulated_questions
from agents.simulated.solver import solver_profile
from analysis.reports.debates import study_reports
from analysis.reports.tables.debates import print_report
from arena import Arena, Arm, Sampling, Study
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from protocols.ask_again import Again, Form, ask_again

PROMPTS: list[Again] = ["question", "confidence", "critique"]
SOLVERS = ["sim/solver:ability=0.5:stays=0.9:corrects=0.15"]


def study(
    *,
    models: list[str] = SOLVERS,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 100,
    samples: int = 4,
    prompts: list[Again] = PROMPTS,
    form: Form = "samples",
    temperature: float | None = None,
    repeats: int = 1,
    max_tokens: int | None = None,
) -> Study:
    """Return one arm for each prompt, with every model.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` simulated questions.  `form` is samples, or options for questions with `choices` and
    models that score them.  `temperature` None leaves it to the provider.
    """
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    lineups = [{"solver": agent(reference, sampling=sampling)} for reference in models]
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number)
    )
    options = {"samples": samples} if form == "samples" else {"form": form}
    arms = [Arm(prompt, ask_again, lineups, {"prompt": prompt, **options}) for prompt in prompts]
    return Study("ask_again" if form == "samples" else "ask_again_options", arms, subjects, repeats)


def show_results(arena: Arena, played: Study) -> None:
    """Print the study's report, and the planted CL and CS of simulated solvers."""
    print_report(study_reports(arena.path, played.name))
    for name in sorted({row["model"] for row in arena.sql("select model from seats")}):
        if name.startswith("sim/solver"):
            planted = solver_profile(name[4:])
            print(f"planted in {name}: CL {planted.stays:.1%}, CS {planted.corrects:.1%}")


if __name__ == "__main__":
    run_study_program(__file__, show_results)
