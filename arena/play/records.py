"""What a run writes down besides calls and turns: the rows that studies and episodes begin and end with, as journal lines."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from importlib import metadata
from pathlib import Path

from arena.calls.ledger import RunStats
from arena.calls.secrets import without_secrets
from arena.errors import ArenaError, ProtocolError, error_kind
from arena.grading.grade import Grade, grade_async
from arena.store.journal import line, row_of
from arena.store.replay import StudyState
from arena.studies.motions import base_subject, subject_id
from arena.studies.source import code_hash
from arena.studies.study import Play, ProtocolResult, Study, protocol_name, protocol_version
from arena.text import utc_now, writable
from arena.types import Agent, Answer, Verdict

GradedAnswer = tuple[Answer, Grade]
PACKAGES = (
    "peer-arena",
    "duckdb",
    "pydantic",
    "aiohttp",
    "openai",
    "anthropic",
    "litellm",
    "torch",
    "transformers",
)


def run_start_lines(
    study: Study, todo: Sequence[Play], run_id: str, planned: int, tally: RunStats
) -> Iterator[bytes]:
    """The rows that a run begins with: itself with what it is expected to take and may cost, and the subjects that it will play."""
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
        "estimate": tally.expected,
        "budget_usd": tally.budget and tally.budget.limit_usd,
    }
    yield line("runs", row)
    for subject in {subject_id(play.subject): play.subject for play in todo}.items():
        yield line("subjects", {"subject": subject[0], **row_of(base_subject(subject[1]))})


def git_commit() -> str | None:
    """The commit of the working folder, None outside git."""
    with suppress(OSError, subprocess.SubprocessError):
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
        return found.stdout.strip() or None
    return None


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a run depends on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def episode_start_lines(play: Play) -> Iterator[bytes]:
    """The rows that an episode begins with: itself and its seats."""
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
    }
    yield line("plays", row)
    for seat, agent in play.lineup.items():
        yield line("seats", {"episode": play.episode, "seat": seat, **agent_row(agent)})


def agent_row(agent: Agent) -> dict[str, object]:
    """How an agent stands in the table `seats`."""
    can = agent.model.capabilities
    seeds = (
        "honoured" if "same seed, same reply" in can else "sent" if "seed" in can else "not sent"
    )
    return {
        "agent": agent.name,
        "model": agent.model.name,
        "system": agent.system,
        "sampling": {
            name: value
            for name, value in agent.sampling.content().items()
            if value not in (None, ())
        },
        "seeds": seeds,
    }


def result_lines(play: Play, result: Verdict | Sequence[GradedAnswer] | None) -> Iterator[bytes]:
    """The rows that a protocol's result makes, where it has one."""
    if isinstance(result, Verdict):
        yield line("rulings", {"episode": play.episode, **row_of(result), "repeat": play.repeat})
        return
    for answer, grade in result or ():
        row = row_of(
            replace(
                answer,
                answer=None if answer.answer is None else writable(answer.answer),
                correct=grade.correct,
            )
        )
        yield line(
            "answers",
            {"episode": play.episode, **row, "status": grade.status, "canonical": grade.canonical},
        )


async def grade_result(
    play: Play, result: ProtocolResult
) -> Verdict | Sequence[GradedAnswer] | None:
    """A protocol's result with its answers graded.  Raises ProtocolError where it is none."""
    if result is None or isinstance(result, Verdict):
        return result
    answers = [result] if isinstance(result, Answer) else result
    if not isinstance(answers, Sequence) or not all(
        isinstance(answer, Answer) for answer in answers
    ):
        raise ProtocolError(
            f"a protocol gives a Verdict, an Answer, a list of them, or None; found {result!r:.80}"
        )
    keys = [(answer.seat, answer.stage) for answer in answers]
    if len(set(keys)) < len(keys) or sum(answer.final for answer in answers) > 1:
        raise ProtocolError(
            f"two answers of one seat and stage, or two final ones, in {answers!r:.200}"
        )
    return [(answer, await grade_of(play, answer)) for answer in answers]


async def grade_of(play: Play, answer: Answer) -> Grade:
    """What an answer is worth: what the protocol says, else what the grader finds."""
    grade = await grade_async(play.subject, answer.answer, by=play.grader)
    return (
        grade
        if answer.correct is None
        else replace(grade, correct=answer.correct, status="graded by the protocol")
    )


def status_line(run_id: str, play: Play, known: StudyState, ending: dict[str, str]) -> bytes:
    """The row that ends an episode: later than any earlier end of it, even where the clock went back."""
    earlier, now = known.ended_at.get(play.episode), utc_now()
    ended_at = now if earlier is None or now > earlier else earlier + timedelta(microseconds=1)
    return line(
        "statuses", {"episode": play.episode, "run": run_id, **ending, "ended_at": ended_at}
    )


def error_location(error: BaseException) -> str:
    """File and line of an error that nobody raised on purpose: a bug in a protocol."""
    if isinstance(error, ArenaError) or error.__traceback__ is None:
        return ""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f" ({Path(frame.filename).name}, line {frame.lineno})"


def first_cause(error: BaseException) -> BaseException:
    """The first error inside of what a task group raised."""
    return first_cause(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def failed_line(run_id: str, play: Play, known: StudyState, error: BaseException) -> bytes:
    """The row that ends an episode with its error in words."""
    cause = first_cause(error)
    words = {
        "error_kind": error_kind(cause),
        "error": without_secrets(writable(str(cause) + error_location(cause))),
    }
    return status_line(run_id, play, known, {"status": "failed", **words})
