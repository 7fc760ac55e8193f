"""Do models know more than they use?  Own questions before a task, to copy and change.

The paper is "Introspective Growth: Automatically Advancing LLM Expertise in Technology Judgment"
(Siyang Wu et al., arXiv 2505.12452).

    arena run self_questioning             simulated reasoners and judgements, no key, seconds
    arena run self_questioning -o models=openai/gpt-4o-mini -o questions=patents.jsonl \\
        -o askers=openai/gpt-5-nano        questions of another model, too
    arena report --study self_questioning
    arena sql "select phase, count(*), avg(correct::int) from turns join answers using (episode)
        where phase like 'answer, %' group by all"      by which option stands for 1
    python self_questioning.py             this file as a program: planted beside found

A file has `question` and `answer`, two `choices` (or the columns of a published one), and a column
`passage` with the text that stands for retrieval.  Arms: the task alone (raw); after a text that
has nothing to do with it (placebo); after own questions and own answers; after own questions with
answers from the passage (with a text); and after the questions of each of `askers`.

What could be checked of the paper, whose task is to tell pairs of patents apart (1.3 million):

    in words    own questions help beyond raw and placebo prompts and chains of thought; answers
                from retrieved texts add more; questions of a small model help a middle-sized one;
                which digit stands for yes turns results
    tables      not known: neither numbers nor prompts were available

The report names the differences: own answers minus raw is knowledge that was there and not used
("unused"), a text minus own answers is knowledge that was missing.  Comparable: their signs, on
pairs of patents.  With simulated reasoners nothing can be compared: `knows`, `uses`, `asks` and
`insight` were planted.
"""

from __future__ import annotations

from agents import agent
from agents.simulated.backgrounds import simulated_judgements
from agents.simulated.reasoner_truth import expected_after_questions
from analysis.reports.beside_paper import print_beside
from arena import Arena, Arm, Sampling, Study
from arena.cli.study_program import run_study_program
from arena.errors import StudyError
from arena.studies.lineups import agents_in
from arena.studies.questions import questions as read_questions
from protocols.self_questioning import Polarity, self_questioning

SOLVERS = ["sim/reasoner:insight=2.0"]
ASKERS = ["sim/reasoner:asks=0.5:seed=1"]
BACKGROUNDS = {
    "raw": "none",
    "placebo": "placebo",
    "own questions": "answers",
    "with a text": "passage",
}


def study(
    *,
    models: list[str] = SOLVERS,
    askers: list[str] = ASKERS,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    passage: str | None = "passage",
    number: int = 100,
    asked: int = 3,
    polarity: Polarity = "drawn",
    paths: int = 1,
    temperature: float | None = None,
    max_tokens: int | None = None,
    repeats: int = 1,
) -> Study:
    """Return the arms with every model, and one for each of `askers`.

    `questions` is a file or a name of the hub, with the columns `question`, `answer` and `passage`,
    or else `number` simulated judgements; without `passage` there is no arm with a text.
    Raises StudyError for a question with another number of options than two.
    """
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    solvers = [agent(reference, sampling=sampling) for reference in models]
    subjects = (
        read_questions(questions, question=question, gold=answer, passage=passage)
        if questions
        else simulated_judgements(number)
    )
    for each in subjects:
        if len(each.choices) != 2:
            raise StudyError(
                f"these are questions with two options; {each.text[:60]!r} has {len(each.choices)}"
            )
    own = [{"solver": solver, "asker": solver} for solver in solvers]
    same: dict[str, object] = {"questions": asked, "polarity": polarity, "paths": paths}
    arms = [
        Arm(label, self_questioning, own, {**same, "background": background})
        for label, background in BACKGROUNDS.items()
        if background != "passage" or passage is not None
    ]
    for asker in map(agent, askers):
        shared = [{"solver": solver, "asker": asker} for solver in solvers]
        label = f"questions of {asker.name}"
        arms.append(Arm(label, self_questioning, shared, {**same, "background": "answers"}))
    return Study("self_questioning", arms, subjects, repeats)


def show_results(arena: Arena, played: Study) -> None:
    """Print the report, and each arm beside what was planted."""
    planted = {}
    for arm in played.arms:
        seated = [each.model.name for lineup in arm.lineups for each in agents_in(lineup)]
        if len(seated) != 2 or not all(name.startswith("sim/reasoner") for name in seated):
            continue
        solver, asker = (name.removeprefix("sim/") for name in seated)
        background = str(arm.options["background"])
        planted[arm.label] = expected_after_questions(solver, played.subjects, background, asker)
    print_beside(arena.path, played.name, planted, {})


if __name__ == "__main__":
    run_study_program(__file__, show_results)
