"""Does a moderator who may end a debate help, and how much opposition?  To copy and change.

The papers are "Encouraging Divergent Thinking in Large Language Models through Multi-Agent Debate"
(MAD, Tian Liang et al., arXiv 2305.19118) and "Should we be going MAD?" (arXiv 2311.17371), whose
Multi-Persona is MAD on questions with options.

    arena run moderated                        simulated panelists and questions, no key, seconds
    arena run moderated -o model=openai/gpt-4o-mini -o questions=gsm8k.jsonl -o opposition=2,5,10
    arena run moderated -o model=openai/gpt-4o-mini -o moderator=anthropic/claude-haiku-4-5 \\
        -o questions=gsm8k.jsonl               another model as the moderator
    python moderated.py                        this file as a program: the papers' numbers, too

Arms: MAD and Multi-Persona at each level of `opposition` (0: agree in all, 10: disagree in all; the
second paper's level of agreement is 10 minus that), MAD without the adaptive break (all rounds, and
then the last judge: what an early end saves and changes), and the vote of as many samples as the
longest debate makes calls.

What could be checked of the papers:

    MAD              counter-intuitive arithmetic, GPT-3.5: 26% alone, 37% with MAD; the break and a
                     modest level of opposition are needed; a judge is unfair where models differ
    Multi-Persona    about +15 points on USMLE by the level of agreement (README of the code)
    MAD or a vote    MAD does not reliably beat self-consistency; tuned it may
    not known        tables by level, intervals

Comparable: the order of arms and of levels, on the same model and questions.  With simulated
panelists nothing can be compared: whom a moderator prefers, and that opposition n of 10 makes the
other side disagree with probability n / 10, was planted.
"""

from __future__ import annotations

from agents import agent
from agents.simulated.questions import simulated_questions
from agents.simulated.truth import expected_majority
from analysis.reports.beside_paper import print_beside
from arena import Arena, Arm, Sampling, Study
from arena.cli.study_program import run_study_program
from arena.studies.lineups import agents_in
from arena.studies.questions import questions as read_questions
from protocols.moderated import PRESETS, moderated
from protocols.self_consistency import self_consistency

PANELIST = "sim/panelist:shared=0"
LEVELS = [2, 5, 10]
PAPER = {
    "mad, 10": "26 alone, 37 with MAD (arithmetic, GPT-3.5)",
    "vote": "not reliably beaten",
}
# The last judge of MAD takes two calls.
LAST_CALLS = 2


def study(
    *,
    model: str = PANELIST,
    moderator: str | None = None,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 100,
    rounds: int = 3,
    opposition: list[int] = LEVELS,
    temperature: float = 0.7,
    max_tokens: int | None = None,
    repeats: int = 1,
) -> Study:
    """Return an arm for each format and level of opposition, and the controls.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` simulated questions.
    """
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    solver = agent(model, sampling=sampling)
    judge = solver if moderator is None else agent(moderator, sampling=sampling)
    seats = {"affirmative": solver, "negative": solver, "moderator": judge}
    arms = [
        Arm(
            f"{name}, {level}",
            moderated,
            [seats],
            {**preset, "rounds": rounds, "opposition": level},
        )
        for name, preset in PRESETS.items()
        for level in opposition
    ]
    to_the_end = {"rounds": rounds, "opposition": max(opposition), "may_end": False}
    arms.append(Arm("mad, to the end", moderated, [seats], to_the_end))
    paths = 3 * rounds + LAST_CALLS
    arms.append(Arm("vote", self_consistency, [{"solver": solver}], {"paths": paths}))
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number)
    )
    return Study("moderated", arms, subjects, repeats)


def show_results(arena: Arena, played: Study) -> None:
    """Print the report, and each arm beside what was planted and what the papers have."""
    *_, vote = played.arms
    [lineup] = vote.lineups
    [solver] = agents_in(lineup)
    planted = {}
    # Its parameters as a solver are the usual ones, and the majority of these is known exactly.
    if solver.model.name == agent(PANELIST).model.name:
        paths = int(str(vote.options["paths"]))
        planted["vote"] = expected_majority("solver:shared=0", played.subjects, paths)
    print_beside(arena.path, played.name, planted, PAPER)


if __name__ == "__main__":
    run_study_program(__file__, show_results)
