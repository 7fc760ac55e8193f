"""How far does a block of LeaP move the paths that read their peers?  To copy and change.

The paper is "Learning from Peers in Reasoning Models" (LeaP; Tongxu Luo et al., arXiv 2505.07787),
its figure 9.

    arena run block_influence              simulated solvers and questions, no key, seconds
    arena run block_influence -o model=local/Qwen/QwQ-32B -o questions=aime.jsonl \\
        -o sizes=32,8,4096,256,256
    arena report --study block_influence   by block: another answer, to right, to wrong
    python block_influence.py              this file as a program: planted, too

Before and after each block every path that still thinks is made to answer; nothing of that stays in
its thought.  Arms: LeaP, and the same with summaries that nobody else reads ("no peers"), in which
whatever changes is done by the words of the block.

The paper's share of influenced paths of QwQ-32B, percent, by the block after so many tokens:

    4K 12.9   8K 17.9   12K 15.1   16K 11.1   20K 12.7   24K 5.9
    not known: by which rule a path counts as influenced

Comparable: the course over blocks, and LeaP minus "no peers", with this model and AIME questions.
With simulated solvers nothing can be compared: `peer_weight` was planted.
"""

from __future__ import annotations

from agents import agent
from agents.simulated.leap_truth import expected_change
from agents.simulated.questions import simulated_questions
from analysis.reports.report import debate_report
from arena import Arena, Arm, Sampling, Study
from arena.cli.study_program import run_study_program
from arena.studies.lineups import agents_in
from arena.studies.questions import questions as read_questions
from protocols.leap import leap

SOLVER = "sim/solver:peer_weight=2.0:shared=0"
# Paths, turns, and tokens of a turn, of a summary and of an answer.
SIMULATED_SIZES = [2, 2, 40, 64, 16]
NAMES = ("paths", "turns", "think_tokens", "summary_tokens", "answer_tokens")
PAPER = (12.9, 17.9, 15.1, 11.1, 12.7, 5.9)


def study(
    *,
    model: str = SOLVER,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 100,
    sizes: list[int] | None = None,
    part: list[int] | None = None,
    top_k: int = 2,
    temperature: float = 0.6,
    opens: str = "",
) -> Study:
    """Return LeaP, and its arm without peers, with answers before and after each block.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` simulated questions.  `part` holds the turns that a block follows.
    """
    solver = agent(model, sampling=Sampling(temperature=temperature), drop_unsupported=True)
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number)
    )
    numbers = dict(zip(NAMES, sizes or SIMULATED_SIZES, strict=True))
    options: dict[str, object] = {**numbers, "probes": True, "top_k": top_k, "opens": opens}
    options |= {"part": part} if part else {}
    lineup = [{"solver": solver}]
    arms = [
        Arm("no peers", leap, lineup, {**options, "router": "none"}),
        Arm("leap", leap, lineup, options),
    ]
    return Study("block_influence", arms, subjects)


def show_results(arena: Arena, played: Study) -> None:
    """Print the report, the paper's shares, and what was planted in simulated solvers."""
    print(debate_report(arena.path, played.name))
    print(f"\nThe paper's shares, QwQ-32B, by block: {', '.join(map(str, PAPER))} percent")
    [name] = {each.model.name for arm in played.arms for each in agents_in(next(iter(arm.lineups)))}
    options = played.arms[0].options
    if name.startswith("sim/solver") and (options["paths"], options["turns"]) == (2, 2):
        planted = 100 * expected_change(name.removeprefix("sim/"), played.subjects)
        print(f"SIMULATED: planted {planted:.1f} percent with peers, none without.")


if __name__ == "__main__":
    run_study_program(__file__, show_results)
