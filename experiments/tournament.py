"""Which model debates best, in the eyes of a jury?  A tournament with judges from the first debate to the leaderboard, to copy and change.

    arena run experiments/tournament.py                             simulated debaters and judges, no key
    arena run experiments/tournament.py -o rounds=3                 a Swiss tournament instead of a round robin
    arena run experiments/tournament.py -o judged=cross_model       only judges: of debates that the store holds, such as imported ones
    arena run experiments/tournament.py -o models=http/a@URL,http/b@URL -o judges=http/c@URL,... -o motions=my.jsonl

Every pair debates every motion in both seats; every judge reads every debate with the sides in both orders, and a verdict that changes with
the order counts as an abstention.  The leaderboard excludes judges of debates in which they, or their family, sat.

With the simulated debaters nothing is found out: their strengths stand in their names, and the leaderboard should find them.
"""

from __future__ import annotations

from agents import agent
from arena import MOTIONS, Arm, Sampling, Stage, Study, Subject, round_robin, swiss_round
from arena import motions as read_motions
from protocols.debate import debate
from protocols.judging import jury

DEBATERS = [
    f"sim/confident:strength={strength}:words=60" for strength in (-1.0, -0.6, -0.2, 0.2, 0.6, 1.0)
]
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
    """A round robin, `rounds` of a Swiss tournament, or debates of the stored study `judged`; then the jury, with so many `repeats`."""
    bound = Sampling(max_tokens=max_tokens)
    jurors, debaters = (
        [agent(reference, sampling=bound) for reference in names] for names in (judges, models)
    )
    if judged:
        return [jury(f"{judged} jury", judged, jurors, repeats=repeats)]
    subjects = read_motions(motions) if motions else MOTIONS + MORE_MOTIONS
    if not rounds:
        played = Study("tournament", [Arm("round robin", debate, round_robin(debaters))], subjects)
        return [played, jury("tournament jury", played, jurors, repeats=repeats)]
    numbered = [
        swiss_round("swiss", number, debate, debaters, subjects) for number in range(1, rounds + 1)
    ]
    return [
        stage
        for played in numbered
        for stage in (played, jury("swiss jury", played, jurors, repeats=repeats))
    ]
