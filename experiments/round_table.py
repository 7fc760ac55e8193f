"""Does talking at a table help, and does weighing votes?  Many formats, to copy and change.

The papers are those of protocols/round_table.py, by the names of its presets.

    arena run round_table                      simulated solvers and questions, no key, seconds
    arena run round_table -o presets=reconcile,eot_relay -o models=openai/gpt-4o-mini,\\
anthropic/claude-haiku-4-5,gemini/gemini-2.5-flash -o questions=gsm8k.jsonl
                                               several models sit at one table, as they are given
    arena run round_table -o calls=12          every format at most 12 calls a question
    arena run round_table -o early=true        each format that ends early, also to its last round
    python round_table.py                      this file as a program: the papers' numbers, too
    arena sql "from accuracy_by_stage"         whether talking helps: each round, and the first
    arena sql "from place_effects"             which place of a reply in a prompt is followed

Each preset is an arm.  So are the controls: "vote", the majority of the first replies, which a talk
must beat; and "reconcile, plain vote", the same talk as reconcile with equal votes.  Formats are
played with their published sizes unless `calls` bounds them.

What could be checked of the papers (bodies were not available beyond their first page):

    reconcile      up to +11.4 points over earlier systems on seven benchmarks, +8 on MATH; what
                   weights add to the majority is not known
    sparse_ring    up to 40% fewer input tokens at equal accuracy
    vote           makes most of the gain of debates; a debate adds nothing on average (martingale)
    group_debate   51.7% fewer tokens
    collective     up to +7.4 points ("Voting or Consensus?")
    eot_*, ford, ford_three, hub, debatellm_*      not known

Comparable: the signs of differences between arms, on the same models and questions, with the paired
intervals of `arena report`.  With simulated solvers nothing can be compared: how far they follow
peers (`peer_weight`) and whether a confidence tells right from wrong (`discrimination`) is planted.
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
from protocols.round_table import PRESETS, options_for_calls, round_table

SOLVERS = ["sim/solver:discrimination=0.8:noise=0.1:shared=0:peer_weight=0.5"]
COMPARED = ["vote", "society_of_minds", "sparse_ring", "eot_relay", "reconcile", "ford"]
PLAIN = "reconcile, plain vote"
PAPER = {
    "reconcile": "up to +11.4 points over earlier systems",
    "sparse_ring": "as full, with up to 40% fewer input tokens",
    "vote": "most of the gain of a debate",
    "group_debate": "51.7% fewer tokens",
    "collective": "up to +7.4 points",
}


def study(
    *,
    models: list[str] = SOLVERS,
    presets: list[str] = COMPARED,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 100,
    calls: int | None = None,
    early: bool = False,
    temperature: float = 0.7,
    max_tokens: int | None = None,
    repeats: int = 1,
) -> Study:
    """Return an arm for each preset, with the table that the models make.

    One model is seated as often as the format has seats; several sit together.  `questions` is a
    file or a name of the hub, with the columns `question` and `answer`, or else `number` simulated
    questions.  `calls` bounds every format; `early` adds, for each that ends when agents agree, an
    arm that goes on to the last round.
    """
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    lineups = [{"solvers": [agent(reference, sampling=sampling) for reference in models]}]
    options = {
        name: PRESETS[name] if calls is None else options_for_calls(calls, name) for name in presets
    }
    if "reconcile" in options:
        options[PLAIN] = options["reconcile"] | {"decide": "plurality"}
    if early:
        options |= {
            f"{name}, to the end": each | {"until": "never"}
            for name, each in options.items()
            if each.get("until", "never") != "never"
        }
    arms = [Arm(name, round_table, lineups, each) for name, each in options.items()]
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number)
    )
    return Study("round_table", arms, subjects, repeats)


def show_results(arena: Arena, played: Study) -> None:
    """Print the report, and each arm beside what was planted and what the papers have."""
    planted = {}
    for arm in played.arms:
        [lineup] = arm.lineups
        agents = agents_in(lineup)
        name = agents[0].model.name
        # The majority of copies of a simulated solver is known exactly.
        if arm.label == "vote" and len(agents) == 1 and name.startswith("sim/solver"):
            seats = int(str(arm.options["agents"]))
            profile = name.removeprefix("sim/")
            planted["vote"] = expected_majority(profile, played.subjects, seats)
    print_beside(arena.path, played.name, planted, PAPER)


if __name__ == "__main__":
    run_study_program(__file__, show_results)
