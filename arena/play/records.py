"""Write the journal lines with which studies and episodes begin and end.

Calls and turns are written by arena/calls/ledger.py and arena/play/episode.py.
"""

from __future__ import annotations

import functools
import os
import platform
import secrets
import socket
import subprocess
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from importlib import metadata
from pathlib import Path

from arena.calls.run_stats import RunStats
from arena.calls.secrets import without_secrets
from arena.errors import ArenaError, error_kind
from arena.grading.grade import Grade, grade_async
from arena.play.identity import code_hash_of, find_digest_of
from arena.play.results import check_result
from arena.private import refuse
from arena.score import Score
from arena.store.journal import line, row_of
from arena.store.replay import StudyState
from arena.studies.branches import parent_row
from arena.studies.motions import subject_id, subject_row
from arena.studies.source import code_hash
from arena.studies.study import Play, Study, protocol_name, protocol_version
from arena.text import utc_now, writable
from arena.types import Agent, Answer, Verdict

GradedAnswer = tuple[Answer, Grade]
GradedResult = Verdict | Sequence[GradedAnswer | Score] | None
PACKAGES = "peer-arena duckdb pydantic aiohttp openai anthropic litellm torch transformers"


def new_run_id() -> str:
    """Return the id of a new run: the time first, so that journals are folded in their order."""
    return f"{utc_now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def run_start_lines(
    study: Study, todo: Sequence[Play], run_id: str, planned: int, stats: RunStats
) -> Iterator[bytes]:
    """Return the rows that a run begins with: itself, and the subjects that it will play.

    The row of the run holds its expected cost and its budget.
    """
    # One simulated voice is enough to mark the whole run.
    simulated = any(agent.model.simulated for play in todo for agent in play.lineup.values())
    row = {
        "run": run_id,
        "study": study.name,
        "origin": "played",
        "simulated": simulated,
        "planned": planned,
        "git_commit": git_commit(),
        "versions": versions(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started_at": utc_now(),
        "estimate": stats.expected,
        "budget_usd": stats.budget and stats.budget.limit_usd,
    }
    yield line("runs", row)
    for key, subject in {subject_id(play.subject): play.subject for play in todo}.items():
        yield line("subjects", {"subject": key, **subject_row(subject)})
    images = {image.hash: image for play in todo for image in play.subject.images}
    for key, image in images.items():
        row = {"image": key, "media_type": image.media_type, "base64": image.base64}
        yield line("images", row)


def git_commit() -> str | None:
    """Return the commit of the working folder, None outside git."""
    with suppress(OSError, subprocess.SubprocessError):
        git = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
        return git.stdout.strip() or None
    return None


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a run depends on."""
    installed = {"python": platform.python_version()}
    for package in PACKAGES.split():
        with suppress(metadata.PackageNotFoundError):
            installed[package] = metadata.version(package)
    return installed


def episode_start_lines(play: Play) -> Iterator[bytes]:
    """Return the rows that an episode begins with: itself and its seats."""
    row = {
        "episode": play.episode,
        "study": play.study,
        "arm": play.arm,
        "protocol": protocol_name(play.protocol),
        "version": protocol_version(play.protocol),
        "code_hash": code_hash(play.protocol),
        "options": play.options,
        "subject": subject_id(play.subject),
        "repeat": play.repeat,
        "started_at": utc_now(),
        "grader": None if play.grader is None else function_name(play.grader),
        **parent_row(play.subject),
    }
    yield line("plays", row)
    for seat, agent in play.lineup.items():
        yield line("seats", {"episode": play.episode, "seat": seat, **agent_row(agent)})


def function_name(function: object) -> str:
    """Return the name of a function, or of the class of an object that is called."""
    name: str = getattr(function, "__qualname__", type(function).__name__)
    return name


def agent_row(agent: Agent) -> dict[str, object]:
    """Return an agent as the table `seats` keeps it."""
    capabilities = agent.model.capabilities
    seeds = "sent" if "seed" in capabilities else "not sent"
    if "same seed, same reply" in capabilities:
        seeds = "honoured"
    settings = agent.sampling.content().items()
    return {
        "agent": agent.name,
        "model": agent.model.name,
        "system": agent.system,
        "sampling": {name: value for name, value in settings if value not in (None, ())},
        "seeds": seeds,
        "digest": find_digest_of(agent.model),
        "code_hash": code_hash_of(agent.model),
    }


def result_lines(play: Play, result: GradedResult) -> Iterator[bytes]:
    """Return the rows for a protocol's result, none if it returned nothing."""
    if isinstance(result, Verdict):
        row = writable_row(row_of(result))
        yield line("rulings", {"episode": play.episode, **row, "repeat": play.repeat})
        return
    for item in result or ():
        if isinstance(item, Score):
            yield line("scores", {"scoring": play.episode, **score_row(item)})
            continue
        answer, grade = item
        row = writable_row(row_of(replace(answer, correct=grade.correct)))
        grading = {"status": grade.status, "canonical": grade.canonical}
        yield line("answers", {"episode": play.episode, **row, **grading})


def writable_row(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row whose texts can be written, since a protocol may return words of models."""
    return {name: writable(each) if isinstance(each, str) else each for name, each in row.items()}


def score_row(score: Score) -> dict[str, object]:
    """Return a score as the table `scores` keeps it, without the play that made it."""
    turn = score.turn
    return {
        "episode": turn.episode,
        "seat": turn.seat,
        "step": turn.step,
        "name": score.name,
        "value": score.value,
        "kind": score.kind,
        "status": writable(score.status),
        "samples": score.samples,
        "details": score.details or None,
    }


async def grade_result(play: Play, result: object, seats: Collection[str]) -> GradedResult:
    """Return a protocol's result with its answers graded.

    `seats` are those that sat in the episode.  Raises ProtocolError for what a protocol may not
    return.
    """
    checked = check_result(protocol_name(play.protocol), result, seats)
    if checked is None or isinstance(checked, Verdict):
        return checked
    return [
        item if isinstance(item, Score) else (item, await grade_of(play, item)) for item in checked
    ]


async def grade_of(play: Play, answer: Answer) -> Grade:
    """Return the grade of an answer: the protocol's own, else the grader's."""
    # Graded in any case: votes are counted by the canonical form.
    grade = await grade_async(play.subject, answer.answer, by=play.grader)
    if answer.correct is None:
        return grade
    return replace(grade, correct=answer.correct, status="graded by the protocol")


def status_line(run_id: str, play: Play, state: StudyState, ending: dict[str, str]) -> bytes:
    """Return the row that ends an episode.

    It is later than any earlier end of it, even if the clock went back: the latest row counts.
    """
    earlier = state.ended_at.get(play.episode)
    now = utc_now()
    ended_at = now if earlier is None or now > earlier else earlier + timedelta(microseconds=1)
    row = {"episode": play.episode, "run": run_id, **ending, "ended_at": ended_at}
    return line("statuses", row)


def error_location(error: BaseException) -> str:
    """Return file and line of an error that was not raised on purpose: a bug in a protocol."""
    if isinstance(error, ArenaError) or error.__traceback__ is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    # A private value refuses to become text; the fault is where a protocol asked for it.
    asked = [frame for frame in frames if frame.filename != refuse.__code__.co_filename]
    frame = (asked or frames)[-1]
    return f" ({Path(frame.filename).name}, line {frame.lineno})"


def first_cause(error: BaseException) -> BaseException:
    """Return the first error inside an error of a task group."""
    return first_cause(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def failed_line(run_id: str, play: Play, state: StudyState, error: BaseException) -> bytes:
    """Return the row that ends an episode with its error in words."""
    cause = first_cause(error)
    text = without_secrets(writable(str(cause) + error_location(cause)))
    ending = {"status": "failed", "error_kind": error_kind(cause), "error": text}
    return status_line(run_id, play, state, ending)
