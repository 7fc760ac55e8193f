"""Which way of using several calls writes the better text?  Judged blind, to copy and change.

The paper is "LLMs Can Generate a Better Answer by Aggregating Their Own Responses" (generative
self-aggregation, GSA; Zichong Li et al., arXiv 2503.04104), beside universal self-consistency
(2311.17311), Self-Refine (2303.17651) and best-of-n by self-certainty (2502.18581).

    arena run open_tasks                   simulated authors and judges, no key, seconds
    arena run open_tasks -o models=openai/gpt-4o-mini -o tasks=prompts.jsonl -o calls=5 \\
        -o judges=anthropic/claude-haiku-4-5,gemini/gemini-2.5-flash
    arena report --study open_tasks        which arm's texts the jury prefers, of each two

Every way makes `calls` calls a task, but for "sample", which makes one, and "refine", which may
stop earlier.  Then each judge reads the final texts of each two arms, in both orders, under a code,
told of no author and no method.  A file of tasks has a column `task`, or is a .txt file with one
task a line.

What could be checked of the papers:

    GSA            in words: on open tasks better than choosing among replies and than
                   self-correction, at equal calls; models give a higher likelihood to generating
                   than to selecting; robust to how replies are sampled.  Its numbers, n and
                   temperatures: not known
    Self-Refine    about 20 points better than one reply on average over seven tasks, by people and
                   by metrics (abstract)

Comparable: the order of the arms at equal calls, with judges that wrote none of the texts.  With
simulated authors nothing can be compared: what each way adds (`aggregates`, `refines`, `certain`)
was planted, and is printed by `python open_tasks.py` beside what was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agents import agent
from agents.simulated.author_truth import author_profile, expected_preference
from analysis.reports.report import debate_report
from arena import Arena, Arm, Sampling, Stage, Study, Subject
from arena.cli.study_program import run_study_program
from arena.errors import StudyError
from arena.studies.lineups import agents_in
from arena.studies.rows import read_rows
from protocols.blind_jury import jury_of_texts
from protocols.open_answer import Way, check_calls_of, open_answer
from protocols.self_preference import CRITERION

AUTHORS = ["sim/author"]
JUDGES = ["sim/author:seed=1", "sim/author:seed=2:first=0.5", "sim/author:seed=3"]
WAYS: list[Way] = ["sample", "universal", "refine", "certain", "aggregation"]
TASKS = 60
TEXTS_OF = """
    select distinct e.study from latest_scores s join episodes e using (episode)
    where s.scoring in (select episode from episodes where study = $1)
"""
AUTHORS_OF = """
    select distinct model from seats join episodes using (episode) where study = $1
"""
CALLS_OF = "select distinct options->>'calls' from episodes where study = $1"


def study(
    *,
    models: list[str] = AUTHORS,
    judges: list[str] = JUDGES,
    tasks: str | None = None,
    number: int = TASKS,
    calls: int = 5,
    ways: list[Way] = WAYS,
    criterion: str = CRITERION,
    temperature: float | None = None,
    max_tokens: int | None = None,
) -> Sequence[Study | Stage]:
    """Return the texts, an arm for each way, and the stage in which judges compare them.

    `tasks` is a file with a column `task` (.txt: one a line), or else `number` simulated ones.
    Models without token probabilities have no arm "certain".  Raises StudyError for fewer than two
    ways, for too few calls for one of them, and for an empty criterion.
    """
    if len(set(ways)) < 2:
        raise StudyError(f"judges compare the texts of two ways; ways is {', '.join(ways)} alone")
    for way in ways:
        check_calls_of(way, calls)
    if not criterion.strip():
        raise StudyError("the criterion is empty; say by what judges shall compare the texts")
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    authors = [agent(reference, sampling=sampling) for reference in models]
    arms = []
    for way in ways:
        able = [
            author
            for author in authors
            if way != "certain" or {"measures", "logprobs"} & author.model.capabilities
        ]
        options: dict[str, object] = {"way": way, "calls": calls}
        if able:
            arms.append(Arm(way, open_answer, [{"solver": author} for author in able], options))
    if len({arm.label for arm in arms}) < 2:
        raise StudyError('no author gives token probabilities for "certain"; name two other ways')
    texts_of = read_tasks(Path(tasks)) if tasks else simulated(number)
    texts = Study("open_tasks", arms, [Subject(each, "question") for each in texts_of])
    panel = [agent(reference) for reference in judges]
    return [texts, jury_of_texts("texts judged blind", texts, panel, criterion=criterion)]


def show_results(arena: Arena, played: Study) -> None:
    """Print what the jury prefers, and beside it what was planted in a simulated author."""
    [(of,)] = arena.sql(TEXTS_OF, [played.name]).rows
    whole = debate_report(arena.path, of)
    print(whole)
    authors = {name for (name,) in arena.sql(AUTHORS_OF, [of]).rows}
    firsts = [author_profile(name[4:]).first for name in judges_of(played) if is_author(name)]
    if len(authors) != 1 or not is_author(name := authors.pop()) or not firsts:
        return
    [calls] = {int(each) for (each,) in arena.sql(CALLS_OF, [of]).rows}
    for row in whole.results[0].assessments.jury or () if whole.results[0].assessments else ():
        planted = expected_preference(name[4:], row.arm, row.against, calls, firsts)
        names = f"{row.arm} against {row.against}"
        print(f"{names}: mean reading {row.preferred.mean:.3f}, planted {planted:.3f}")


def is_author(model: str) -> bool:
    """Return whether a model is a simulated author."""
    return model.startswith("sim/author")


def judges_of(played: Study) -> list[str]:
    """Return the names of the judges' models."""
    return [each.model.name for lineup in played.arms[0].lineups for each in agents_in(lineup)]


def read_tasks(file: Path) -> list[str]:
    """Read the column `task` of a file, or the lines of a .txt file, without blanks around them.

    Raises StudyError, with file and row, for a row without such a text.
    """
    tasks = []
    column = "text" if file.suffix.lower() == ".txt" else "task"
    for number, row in enumerate(read_rows(file, "tasks"), 1):
        task = row.get(column) if isinstance(row, dict) else None
        if not isinstance(task, str) or not task.strip():
            found = ", ".join(map(str, row)) if isinstance(row, dict) else "no fields"
            raise StudyError(f"{file}, row {number} has no text in its field `task`: {found:.200}")
        tasks.append(task.strip())
    return tasks


def simulated(number: int) -> list[str]:
    """Return tasks for simulated authors, for whom all are the same."""
    return [f"Simulated task {each}: write a text." for each in range(1, number + 1)]


if __name__ == "__main__":
    run_study_program(__file__, show_results)
