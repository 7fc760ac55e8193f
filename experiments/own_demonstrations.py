"""Do models need examples that people wrote, or do their own do?  SEC, to copy and change.

The paper is "Are Human-generated Demonstrations Necessary for In-context Learning?" (Rui Li et al.,
arXiv 2309.14681; SEC, self-contemplation prompting).

    arena run own_demonstrations           simulated reasoners and questions, no key, seconds
    arena run own_demonstrations -o models=openai/gpt-4o-mini -o questions=gsm8k.jsonl
    arena run own_demonstrations -o models=sim/reasoner:teaches=0.2       a bad teacher of itself
    arena report --study own_demonstrations
    python own_demonstrations.py           this file as a program: planted and the paper's, too

Four arms: no demonstrations (zero-shot); own ones with answers alone (SEC) and with reasoning
(CoT-SEC); and the first questions of the file with their answers, which are held out of the test
(people's).  What the paper has (its released README), GPT-3.5, percent right:

    GSM8K       zero-shot 31.4, ICL 57.1, SEC 65.4; CoT-ICL 77.4, CoT-SEC 77.0
    MATH        31.2 with people's demonstrations, 33.5 with own ones
    HumanEval   73.8 with people's demonstrations, 75.6 with own ones
    not known   intervals, prompts' words, and its tables by model

Comparable: the sign of own minus people's, on the same model and questions.  Not comparable:
levels (our zero-shot arm is told to think step by step, the paper's is not, and the people's
demonstrations here have no reasoning).  With simulated reasoners nothing can be compared: what a
right demonstration adds (`demonstrates`) and how often an own one is right (`teaches`) were
planted; where fewer than half are right, own demonstrations harm.
"""

from __future__ import annotations

from agents import agent
from agents.simulated.questions import simulated_questions
from agents.simulated.reasoner_truth import (
    expected_after_demonstrations,
    expected_alone,
    profile_in,
)
from analysis.reports.beside_paper import print_beside
from arena import Arena, Arm, Sampling, Study, Subject
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from protocols.own_demonstrations import own_demonstrations

SOLVERS = ["sim/reasoner"]
PAPER = {
    "zero-shot": "31.4 (GSM8K)",
    "people's": "57.1, CoT 77.4 (GSM8K)",
    "SEC": "65.4 (GSM8K)",
    "CoT-SEC": "77.0 (GSM8K)",
}


def study(
    *,
    models: list[str] = SOLVERS,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 100,
    demonstrations: int = 4,
    paths: int = 1,
    temperature: float | None = None,
    max_tokens: int | None = None,
    repeats: int = 1,
) -> Study:
    """Return the four arms with every model.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` simulated questions; the first `demonstrations` of them are the people's.
    """
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    lineups = [{"solver": agent(reference, sampling=sampling)} for reference in models]
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number + demonstrations)
    )
    given = [demonstration(each) for each in subjects[:demonstrations]]
    same: dict[str, object] = {"demonstrations": demonstrations, "paths": paths}
    options: dict[str, dict[str, object]] = {
        "zero-shot": {"source": "none", **same},
        "people's": {"source": "given", "given": given, **same},
        "CoT-SEC": same,
        "SEC": {"reasoning": False, **same},
    }
    arms = [Arm(name, own_demonstrations, lineups, each) for name, each in options.items()]
    return Study("own_demonstrations", arms, subjects[demonstrations:], repeats)


def demonstration(question: Subject) -> str:
    """Return a question of a file with its right answer, as a demonstration."""
    return f"Question: {question.text}\nAnswer: \\boxed{{{question.gold}}}\n"


def show_results(arena: Arena, played: Study) -> None:
    """Print the report, and each arm beside what was planted and what the paper has."""
    planted = {}
    if (profile := profile_in(played)) is not None:
        questions, shown = played.subjects, int(str(played.arms[0].options["demonstrations"]))
        own = expected_after_demonstrations(profile, questions, shown)
        people = expected_after_demonstrations(profile, questions, shown, 1.0)
        alone = expected_alone(profile, questions)
        planted = {"zero-shot": alone, "people's": people, "SEC": own, "CoT-SEC": own}
    print_beside(arena.path, played.name, planted, PAPER)


if __name__ == "__main__":
    run_study_program(__file__, show_results)
