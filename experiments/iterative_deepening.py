"""Does it help to stop a thought in growing steps and ask for its mistakes?  To copy and change.

The paper is "Iterative Deepening Sampling for Large Language Models" (Weizhe Chen, Sven Koenig and
Bistra Dilkina, arXiv 2502.05449).

    arena run iterative_deepening          simulated reasoners and questions, no key, seconds
    arena run iterative_deepening -o model=local/Qwen/Qwen3-1.7B -o questions=math500.jsonl \\
        -o budget=1024 -o limit=8192
    arena run iterative_deepening -o model=openai/gpt-4o-mini -o questions=math500.jsonl
        (chat alone: the sentence is a turn of the user, and the phase says so)
    arena report --study iterative_deepening
    python iterative_deepening.py          this file as a program: planted beside found

Arms, all with `samples` replies of at most `limit` tokens: in one piece (plain), cut at the same
boundaries without a sentence (cuts), and with the sentence, for each of `growths` (deepening-2).

What could be checked of the paper:

    in words    with budgets that grow by a factor and a sentence of self-correction at each
                boundary, models of the kind of R1-Distill-Qwen-7B and Qwen3-8B gain on MATH-500 and
                AIME, with best-of-n and with a majority; the factor matters
    numbers     not known: neither budget, factor and sentence nor tables were available

Comparable: the sign of deepening minus plain at the same limit, in the report "stops and triggers".
With simulated reasoners nothing can be compared: what each sentence mends (`corrects`) and takes
back (1 - `stays`) was planted.
"""

from __future__ import annotations

from agents import agent
from agents.simulated.questions import simulated_questions
from agents.simulated.reasoner_truth import expected_after_triggers, profile_in
from analysis.reports.beside_paper import print_beside
from arena import Arena, Arm, Sampling, Study
from arena.cli.study_program import run_study_program
from arena.errors import StudyError
from arena.studies.questions import questions as read_questions
from protocols.iterative_deepening import Pick, boundaries, iterative_deepening

SOLVER = "sim/reasoner:stays=0.95:corrects=0.2"
# A simulated reply is of about 150 tokens.
SIMULATED_SIZES = (20, 160)
SIZES = (1024, 8192)
GROWTHS = [2.0, 4.0]


def study(
    *,
    model: str = SOLVER,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 100,
    budget: int | None = None,
    limit: int | None = None,
    growths: list[float] = GROWTHS,
    samples: int = 1,
    pick: Pick = "majority",
    reopen: bool | None = None,
    temperature: float | None = None,
    repeats: int = 1,
) -> Study:
    """Return the plain arm, the cuts without a sentence, and one arm for each growth.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` simulated questions.  `reopen` is on for simulated replies, which are short.  Raises
    StudyError where no boundary lies before the limit.
    """
    simulated = model.startswith("sim/")
    sizes = SIMULATED_SIZES if simulated else SIZES
    first = sizes[0] if budget is None else budget
    last = sizes[1] if limit is None else limit
    if first >= last:
        raise StudyError(
            f"the first boundary comes before the limit; budget is {first} and limit is {last}"
        )
    solver = agent(model, sampling=Sampling(temperature=temperature), drop_unsupported=True)
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number)
    )
    same: dict[str, object] = {"samples": samples, "pick": pick, "limit": last}
    same |= {"reopen": True} if (simulated if reopen is None else reopen) else {}
    options: dict[str, dict[str, object]] = {
        "plain": {**same, "budget": last},
        "cuts": {**same, "budget": first, "growth": growths[0], "trigger": ""},
    }
    for growth in growths:
        options[f"deepening-{growth:g}"] = {**same, "budget": first, "growth": growth}
    lineup = [{"solver": solver}]
    arms = [Arm(label, iterative_deepening, lineup, each) for label, each in options.items()]
    return Study("iterative_deepening", arms, subjects, repeats)


def show_results(arena: Arena, played: Study) -> None:
    """Print the report, and each arm beside what was planted."""
    profile = profile_in(played)
    planted = {}
    for arm in played.arms:
        one, opened = arm.options["samples"] == 1, arm.options.get("reopen") is True
        if profile is None or not (one and opened):
            continue
        growth = float(str(arm.options.get("growth", 2.0)))
        sizes = (int(str(arm.options[name])) for name in ("budget", "limit"))
        first, last = sizes
        times = 0 if arm.options.get("trigger") == "" else len(boundaries(first, growth, last)) - 1
        planted[arm.label] = expected_after_triggers(profile, played.subjects, times)
    print_beside(arena.path, played.name, planted, {})


if __name__ == "__main__":
    run_study_program(__file__, show_results)
