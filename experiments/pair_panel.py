"""Do panels that talk compare texts better than single referees?  To copy and change.

The papers are "ChatEval: Towards Better LLM-based Evaluators through Multi-Agent Debate" (Chi-Min
Chan et al., arXiv 2308.07201) and "PRD: Peer Rank and Discussion Improve Large Language Model based
Evaluations" (Ruosen Li et al., arXiv 2307.02762).

    arena run pair_panel                       simulated panelists, no key, seconds
    arena run pair_panel -o models=openai/gpt-4o-mini -o questions=pairs.jsonl
        a file with the columns `question`, `choices` (two texts) and `answer` (the better one)
    python pair_panel.py                       this file as a program: the papers' numbers, too

Arms: the three forms of ChatEval, peer discussion, one round by the same referees without a talk,
and that in one order of the texts alone, which shows what their place does.

What could be checked of the papers:

    ChatEval          80 questions (FairEval), GPT-4: numbers not known; different roles are
                      essential, equal ones hurt
    peer discussion   agreement with people up to about 0.75; weighted accuracy .673 (Vicuna80)

Comparable: the order of arms on the same models and pairs.  With simulated panelists nothing can be
compared: each scores a text by its chance of the answer that it gives, and gives `first_points`
more to the text that it reads first; this was planted.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from agents import agent
from agents.simulated.questions import mistakes_of, question_in, simulated_questions
from analysis.reports.beside_paper import print_beside
from arena import Arena, Arm, Sampling, Study, Subject
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from protocols.pair_panel import PRESETS, pair_panel

REFEREES = ["sim/panelist:first_points=4:ability=0.5"]
ALONE = {"rounds": 1, "order": "parallel"}
PAPER = {"peer_discussion": "agreement with people up to about 75"}


def study(
    *,
    models: list[str] = REFEREES,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 100,
    agents: int = 2,
    temperature: float = 0.0,
    repeats: int = 1,
) -> Study:
    """Return an arm for each form of talk, and two without one.

    `questions` is a file or a name of the hub with two choices a question, or else `number`
    simulated pairs: a right answer and a common mistake, in drawn order.
    """
    sampling = Sampling(temperature=temperature)
    lineups = [{"referees": [agent(reference, sampling=sampling) for reference in models]}]
    options = {name: {"agents": agents, **each} for name, each in PRESETS.items()}
    options["no talk"] = {"agents": agents, **ALONE}
    options["no talk, one order"] = {"agents": agents, **ALONE, "orders": "first"}
    arms = [Arm(name, pair_panel, lineups, each) for name, each in options.items()]
    subjects: Sequence[Subject] = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_pairs(number)
    )
    return Study("pair_panel", arms, subjects, repeats)


def simulated_pairs(number: int) -> list[Subject]:
    """Return simulated questions with two texts as choices: the right answer, and a mistake."""
    draw = random.Random("simulated pairs of texts")
    pairs = []
    for subject in simulated_questions(number):
        question = question_in(subject.text)
        assert question is not None
        answers = [question.right, mistakes_of(question)[0]]
        draw.shuffle(answers)
        texts = tuple(f"A simulated text. It is \\boxed{{{each}}}." for each in answers)
        gold = "AB"[answers.index(question.right)]
        text = f"{subject.text}\n"
        pairs.append(Subject(text, "question", gold, texts, subject.source, subject.licence))
    return pairs


def show_results(arena: Arena, played: Study) -> None:
    """Print the report, and each arm beside what the papers have."""
    print_beside(arena.path, played.name, {}, PAPER)


if __name__ == "__main__":
    run_study_program(__file__, show_results)
