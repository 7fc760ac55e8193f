"""Do debaters say aside how sure they are in their speeches?  A study to copy and change.

There is no paper.  A debater's private rating stands in the same reply as its speech, and its own
later prompts show it again: it may be said for the sake of the speech, or of consistency.  Here the
same debater is asked once more after each of its turns, from all that it had seen and said by then,
and is told that nobody, itself included, will be shown what it answers.

    arena run asides                           simulated debaters, no key, a second
    arena run asides -o at=closing             aside after the closing speeches alone
    arena run asides -o debater=openai/gpt-4o-mini -o motions=my.jsonl
    arena report --study asides                "Ratings aside": the rating in the turn and aside
    arena sql "from asides limit 10"
    python asides.py                           this file as a program: what was planted, too

The debate is the same to the byte with asides and without: they are plays of their own, which hang
on its turns, so that `arena run asides` may stop anywhere and go on, and any finished study can be
asked afterwards.

Comparable: the difference between aside and turn, of the same model on the same motions.  With the
simulated debater nothing can be found out: what it adds to a rating aside was planted
(`sim/...:aside=-0.1`), and is printed beside what was measured.
"""

from __future__ import annotations

from agents import agent
from agents.simulated.debater import BOUNDS, PROFILES, parse_profile
from analysis.reports.asides import aside_differences
from analysis.reports.tables.formatting import mean_with_interval, points
from arena import MOTIONS, Arena, Arm, Sampling, Stage, Study
from arena import motions as read_motions
from arena.cli.study_program import run_study_program
from protocols.aside import aside
from protocols.debate import debate

DEBATER = "sim/overconfident:aside=-0.1"


def study(
    *,
    debater: str = DEBATER,
    motions: str | None = None,
    at: str | None = None,
    ask: str = "winning",
    repeats: int = 4,
    temperature: float | None = None,
    max_tokens: int | None = None,
) -> list[Study | Stage]:
    """Return debates of a model with itself, and the asides on them.

    `motions` is a file, or else those of the package; `at` is the phase after which it is asked, or
    else each.  `ask` is a question by name or in your words.
    """
    speaker = agent(debater, sampling=Sampling(temperature=temperature, max_tokens=max_tokens))
    sides = {"proposition": speaker, "opposition": speaker}
    subjects = read_motions(motions) if motions else MOTIONS
    debates = Study("asides", [Arm("debate", debate, [sides])], subjects, repeats)
    return [debates, aside(debates, at=at, ask=ask)]


def print_planted(arena: Arena, played: Study) -> None:
    """Print what was planted in simulated debaters beside what was measured."""
    for row in aside_differences(arena.path, played.name.removesuffix(" asked aside")):
        measured = mean_with_interval(row.difference)
        planted = "-"
        if row.agent.startswith("sim/"):
            _, parameters = parse_profile(row.agent.removeprefix("sim/"), PROFILES, BOUNDS)
            planted = points(parameters.aside)
        print(f"{row.agent}, {row.phase}: {measured} points aside, planted {planted}")


if __name__ == "__main__":
    run_study_program(__file__, print_planted)
