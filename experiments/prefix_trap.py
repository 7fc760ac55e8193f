"""Does a thought that begins wrongly recover, alone and among peers?  To copy and change.

The paper is "Learning from Peers in Reasoning Models" (LeaP; Tongxu Luo et al., arXiv 2505.07787),
its prefix dominance trap.

    arena run prefix_trap                  simulated solvers and questions, no key, seconds
    arena run prefix_trap -o model=local/deepseek-ai/DeepSeek-R1-Distill-Qwen-7B \\
        -o questions=aime.jsonl -o sizes=16,4,4096,256,256 -o opens=
    arena report --study "wrong starts"
    python prefix_trap.py                  this file as a program: the gaps beside the paper's

First every question is answered `samples` times.  Then, of each question that some reply got wrong,
all paths begin with the first `share` of that reply ("trapped"), or none does ("own start"), each
without peers (the thought is cut into the same turns, without a block) and with LeaP.  In "one
trapped" the first path alone begins so.

The gap is Pass@1 with an own start minus Pass@1 with a wrong one, in points.  The paper's, with
15% of the tokens of wrong thoughts, 10 questions, 16 continuations, temperature 1:

    R1-Distill-Qwen-7B     18.95 without LeaP, 10.16 with it
    R1-Distill-Qwen-14B    19.88               7.81
    QwQ-32B                18.75               11.80
    not known              which paths begin wrongly; here all, or the first

Comparable: both gaps with these models and AIME questions.  Not comparable: our share is one of
characters.  With simulated solvers nothing can be compared: a wrong start moves them as a peer does
(`peer_weight`), so that peers who are trapped too do not help, and others do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from agents import agent
from agents.simulated.questions import simulated_questions
from analysis.reports.report import debate_report
from arena import Agent, Arena, Arm, Sampling, Stage, Study
from arena.cli.study_program import run_study_program
from arena.errors import StoreError, StudyError
from arena.studies.questions import questions as read_questions
from arena.tournaments.stages import count_episodes
from arena.tournaments.wrong_starts import check_share, wrong_starts
from protocols.leap import leap
from protocols.self_consistency import self_consistency

SOLVER = "sim/solver:peer_weight=2.0:shared=0"
# Paths, turns, and tokens of a turn, of a summary and of an answer.
SIMULATED_SIZES = [4, 3, 40, 64, 16]
SIZES = [16, 4, 4096, 256, 256]
NAMES = ("paths", "turns", "think_tokens", "summary_tokens", "answer_tokens")
PAPER = {
    "R1-Distill-Qwen-7B": (18.95, 10.16),
    "R1-Distill-Qwen-14B": (19.88, 7.81),
    "QwQ-32B": (18.75, 11.80),
}
GAPS = (
    ("without peers", "own start", "trapped"),
    ("with peers", "own start, peers", "trapped, peers"),
)

ONE_TRAPPED = "one trapped, peers"
# The path that begins wrongly, among others that do not.
FIRST_PATH = """
    select avg(coalesce(correct, false)::int) from latest_answers join episodes using (episode)
    where study = $1 and arm = 'one trapped, peers' and seat = 'path0'
"""


def study(
    *,
    model: str = SOLVER,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    number: int = 60,
    samples: int = 4,
    share: float | None = None,
    sizes: list[int] | None = None,
    top_k: int = 2,
    temperature: float = 1.0,
    opens: str = "",
) -> Sequence[Study | Stage]:
    """Return the replies from which wrong starts are taken, and the stage that begins with them.

    `questions` is a file or a name of the hub, with the columns `question` and `answer`, or else
    `number` simulated questions.  `share` is 0.15 as in the paper, 0.3 of simulated replies, which
    state no answer before; `sizes` are paths, turns, and tokens of a turn, a summary, an answer.
    Raises StudyError for another share, or other sizes than five.
    """
    if sizes is not None and len(sizes) != len(NAMES):
        raise StudyError(f"sizes are {len(NAMES)} numbers: {', '.join(NAMES)}; found {len(sizes)}")
    simulated = model.startswith("sim/")
    solver = agent(model, sampling=Sampling(temperature=temperature), drop_unsupported=True)
    subjects = (
        read_questions(questions, question=question, gold=answer)
        if questions
        else simulated_questions(number)
    )
    first = Study(
        "prefix_trap",
        [Arm("replies", self_consistency, [{"solver": solver}], {"paths": samples})],
        subjects,
    )
    numbers = dict(zip(NAMES, sizes or (SIMULATED_SIZES if simulated else SIZES), strict=True))
    options: dict[str, object] = {**numbers, "top_k": top_k, "opens": opens}
    begins = (0.3 if simulated else 0.15) if share is None else share
    check_share(begins)
    return [first, trapped("wrong starts", first, solver, options, begins)]


def trapped(name: str, of: Study, solver: Agent, options: dict[str, object], share: float) -> Stage:
    """Return the stage whose questions have the beginnings of wrong replies of the study `of`."""
    alone = {**options, "communication": "never"}
    arms = {
        "own start": alone,
        "trapped": {**alone, "starts": "all"},
        "own start, peers": options,
        "trapped, peers": {**options, "starts": "all"},
        ONE_TRAPPED: {**options, "starts": "first"},
    }

    def write(path: Path) -> Study:
        """Write the arms, on the questions that some stored reply got wrong."""
        played = [Arm(label, leap, [{"solver": solver}], each) for label, each in arms.items()]
        return Study(name, played, wrong_starts(path, of.name, share))

    def count(path: Path) -> int:
        """Count the plays, at most one a question and arm where nothing has been answered yet."""
        try:
            return count_episodes(write(path), path)
        except (StudyError, StoreError):
            return len(arms) * len(of.subjects)

    def rename(new_name: Callable[[str], str]) -> Stage:
        """Return the same stage under another name, of replies that may have another too."""
        return trapped(new_name(name), rename_study(of, new_name), solver, options, share)

    return Stage(name, write, count, (solver,), rename)


def rename_study(study: Study, new_name: Callable[[str], str]) -> Study:
    """Return a study under another name."""
    return replace(study, name=new_name(study.name))


def show_results(arena: Arena, played: Study) -> None:
    """Print the report, and the gaps beside the paper's."""
    whole = debate_report(arena.path, played.name)
    print(whole)
    answers = whole.results[0].answers
    assert answers is not None
    share = {row.arm: row.paths.pass_at_1.mean for row in answers.arms if row.paths is not None}
    print("\nGap of a wrong start, points of Pass@1      here   the paper's: 7B, 14B, QwQ")
    for place, (name, own, wrong) in enumerate(GAPS):
        paper = ", ".join(f"{each[place]:.2f}" for each in PAPER.values())
        print(f"  {name:38} {100 * (share[own] - share[wrong]):7.2f}   {paper}")
    [(first,)] = arena.sql(FIRST_PATH, [played.name]).rows
    print(f"  {ONE_TRAPPED:38} {100 * (share[GAPS[1][1]] - first):7.2f}   not known")
    if whole.results[0].simulated:
        print("SIMULATED: how far a start moves a solver was planted.")


if __name__ == "__main__":
    run_study_program(__file__, show_results)
