"""Compare all ways to know how sure a model is: which knows best what is right, and at what cost.

Every estimator that a model allows scores the same answers, in one store.

    arena run confidence_lab                    a simulated solver: no key, minutes
    arena run confidence_lab -o model=toy/sum   a tiny model that really adds, on this machine
    arena run confidence_lab -o model=http/m@URL -o questions=my.jsonl \\
        -o entailment=nli/FOLDER -o similarity=similarity/FOLDER
    arena report --estimators --study confidence_lab
    python confidence_lab.py                    this file as a program prints the table too

`samples` answers to each question are drawn at `temperature`, with the log probabilities of their
tokens; the first of them is the answer, and the others are what some estimators compare it with.
The scoring is a study of its own (docs/scoring.md): run it again with one more estimator, and only
that one is asked for.  `estimators` names those to run; without it, all that the model allows.

No paper compares all of these on the same answers.  Means of AUROC over data sets that could be
checked, each with models, questions and prompts of its own:

    2306.13063    stated confidence 0.522, token probabilities 0.605
    2502.01126    stated 0.645, self-consistency mixed with it 0.741, relative confidence by Elo
                  0.744, TrueSkill 0.753, Bradley-Terry 0.749 (five models, 14 tasks)

Comparable: one row of the table here with its own paper, on the same model and questions.  With the
simulated solver nothing can be compared, since what it knows was planted; `sim/pairs`, which says
there and of the toy's replies what they mean, knows equal answers from others and nothing else.
"""

from __future__ import annotations

from agents import agent
from agents.simulated.questions import simulated_questions
from agents.toy.problems import sums
from analysis.reports.report import estimator_report
from analysis.reports.terminal import print_documents
from arena import Agent, Arena, Arm, Sampling, Stage, Study, Subject
from arena.cli.study_program import run_study_program
from arena.studies.lineups import seats_of
from arena.studies.questions import questions as read_questions
from protocols.confidence import confidence_elicitation
from protocols.estimators import HOME, estimator, estimators_for
from protocols.relative_confidence import relative_confidence_of
from protocols.scoring import score
from protocols.self_consistency import self_consistency

NAME = "confidence_lab"
SOLVER = "sim/solver:bias=0.1:discrimination=0.3"
# CCP reads ten alternatives to each token; providers serve up to twenty.
ALTERNATIVES = 10
# What models of ours cannot be asked in words: a simulated solver answers its questions alone, and
# the toy has learnt to add and nothing else.
NOT_ASKED = {
    "sim": {"paraphrase", "ccp_of_claims", "self_familiarity_sampled"},
    "toy": {
        *("paraphrase", "ccp_of_claims", "critique", "listener", "self_probing"),
        *("p_true", "p_true_own_samples", "p_true_empirical"),
        *("self_familiarity_sampled", "self_familiarity_forced"),
    },
}


def study(
    *,
    model: str = SOLVER,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 200,
    samples: int = 5,
    temperature: float | None = None,
    max_tokens: int | None = None,
    estimators: list[str] | None = None,
    entailment: str | None = None,
    similarity: str | None = None,
    comparisons: int = 5,
) -> list[Study | Stage]:
    """Return the answers, their scoring, and their comparison in pairs of questions.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` simulated questions, sums for the toy.  `temperature` defaults to 1, to 1.7 for the
    toy.  Each question is compared with `comparisons` others (0: with none).  `entailment` and
    `similarity` are models of pairs of texts; without them the estimators that compare replies are
    left out, but for the simulated solver and the toy, whose replies `sim/pairs` compares.
    """
    toy = model.startswith("toy/")
    kind = model.partition("/")[0]
    pairs = {"entailment": entailment, "similarity": similarity}
    if kind in NOT_ASKED:
        pairs = {seat: reference or "sim/pairs" for seat, reference in pairs.items()}
    sampling = Sampling(
        temperature=(1.7 if toy else 1.0) if temperature is None else temperature,
        max_tokens=100 if toy and max_tokens is None else max_tokens,
        logprobs=ALTERNATIVES,
    )
    solver = agent(model, sampling=sampling, drop_unsupported=True)
    subjects: tuple[Subject, ...]
    if questions:
        subjects = read_questions(questions, question=question, gold=answer)
    else:
        subjects = sums(number) if toy else simulated_questions(number)
    answers = Study(NAME, [answering_arm(solver, samples, toy=toy)], subjects)
    if estimators is None:
        missing = {seat for seat, reference in pairs.items() if reference is None}
        without = NOT_ASKED.get(kind, set())
        estimators = [
            name
            for name in estimators_for(solver.model.capabilities)
            if HOME[name][1] not in without and not missing & seats_of_estimator(name)
        ]
    entails, resembles = (agent(each) if each else None for each in pairs.values())
    scores = score(f"{NAME} scores", answers, estimators, entailment=entails, similarity=resembles)
    if toy or not comparisons:
        return [answers, scores]
    compared = relative_confidence_of(f"{NAME} pairs", answers, comparisons=comparisons)
    return [answers, scores, compared]


def seats_of_estimator(name: str) -> set[str]:
    """Return the seats of an estimator's function, which say what it needs."""
    return set(seats_of(estimator(name)).fixed)


def answering_arm(solver: Agent, samples: int, *, toy: bool) -> Arm:
    """Return the arm in which the questions are answered, with a stated confidence where one is."""
    if toy:
        return Arm("answers", self_consistency, [{"solver": solver}], {"paths": samples})
    options = {"strategy": "chain_of_thought", "samples": samples}
    return Arm("answers", confidence_elicitation, [{"solver": solver}], options)


def show_results(arena: Arena, played: Study) -> None:
    """Print the table of estimators; the study that was played last is one of their scorings."""
    report = estimator_report(arena.path, NAME)
    print_documents(report.documents, command=report.command)


if __name__ == "__main__":
    run_study_program(__file__, show_results)
