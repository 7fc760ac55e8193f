"""Which model debates best, in the eyes of a jury?  A tournament to copy and change.

    arena run tournament                   simulated debaters and judges, no key
    arena run tournament -o rounds=3       Swiss rounds, not a round robin
    arena run tournament -o judged=cross_model
        only judges: debates that the store already holds, such as imported ones
    arena run tournament -o models=http/a@URL,http/b@URL \\
        -o judges=http/c@URL,... -o motions=my.jsonl

Every pair debates every motion in both seats; every judge reads every debate with the sides in both
orders, and a vote that changes with the order counts as an abstention.  All judges count; `arena
rank --exclude-related` leaves out the votes on debates in which they, or their family, sat.

With the simulated debaters nothing is discovered: their strengths stand in their names, and the
leaderboard should recover them.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents import agent
from arena import MOTIONS, Agent, Arm, Sampling, Stage, Study, Subject, round_robin, swiss_round
from arena import motions as read_motions
from protocols.debate import debate
from protocols.judging import jury

DEBATERS = [
    f"sim/confident:strength={strength}:words=60" for strength in (-1.0, -0.6, -0.2, 0.2, 0.6, 1.0)
]
# A fair judge, one that leans to the opposition, and one that likes the first and longer side.
JUDGES = ["sim/judge:seed=1", "sim/judge:side=-0.5:seed=2", "sim/judge:first=0.7:length=1.0:seed=3"]
MORE_MOTIONS = tuple(
    Subject(f"This house would {words}.", source="peer-arena", licence="CC0-1.0")
    for words in (
        "let patients see everything that is written about them, as it is written",
        "pay a basic income to everybody rather than benefits to some",
        "build new nuclear power stations before the last coal-fired ones are closed",
        "make voting in national elections compulsory",
    )
)


def study(
    *,
    models: list[str] = DEBATERS,
    judges: list[str] = JUDGES,
    motions: str | None = None,
    rounds: int = 0,
    judged: str | None = None,
    repeats: int = 1,
    max_tokens: int | None = None,
) -> list[Study | Stage]:
    """Return the debates and then their jury, which reads each debate `repeats` times.

    The debates are a round robin, or `rounds` of a Swiss tournament, or those of the stored study
    `judged`, which are not played again.
    """
    bound = Sampling(max_tokens=max_tokens)
    jurors = [agent(reference, sampling=bound) for reference in judges]
    if judged:
        return [jury(f"{judged} jury", judged, jurors, repeats=repeats)]
    debaters = [agent(reference, sampling=bound) for reference in models]
    subjects = read_motions(motions) if motions else MOTIONS + MORE_MOTIONS
    if rounds:
        return swiss_tournament(rounds, debaters, jurors, subjects, repeats)
    played = Study("tournament", [Arm("round robin", debate, round_robin(debaters))], subjects)
    return [played, jury("tournament jury", played, jurors, repeats=repeats)]


def swiss_tournament(
    rounds: int,
    debaters: Sequence[Agent],
    jurors: Sequence[Agent],
    subjects: Sequence[Subject],
    repeats: int,
) -> list[Study | Stage]:
    """Return the rounds of a Swiss tournament, each with its jury."""
    stages: list[Study | Stage] = []
    for number in range(1, rounds + 1):
        # The verdicts on a round decide who meets whom in the next: play and judge in turns.
        played = swiss_round("swiss", number, debate, debaters, subjects)
        stages += [played, jury("swiss jury", played, jurors, repeats=repeats)]
    return stages
