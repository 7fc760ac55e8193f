"""The files of "When Two LLMs Debate, Both Think They'll Win" (arXiv 2505.19184), found below a folder, checked and named.

Two layouts: that of the five configurations with three speeches, and the reduced one of the multi-round debates.  What is not of this
format is refused with a reason; nothing is repaired, and a number that is no confidence is left for the rows to flag.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from arena.errors import StudyError
from arena.text import writable

SOURCE = "llms-overconfidence"
SIDES = ("proposition", "opposition")
THREE = ("opening", "rebuttal", "closing")
FOUR = ("opening", "rebuttal_1", "rebuttal_2", "closing")
SELF = {
    "phases": THREE,
    "schedule": "simultaneous",
    "confidence": "private",
    "memory": True,
    "opponent_note": "copy",
    "rating": "both",
    "reflection": "plain",
}
OPTIONS: dict[str, dict[str, object]] = {
    "cross_model": SELF | {"opponent_note": "none"},
    "self": SELF,
    "informed": SELF | {"memory": False, "opponent_note": "even_odds"},
    "public": SELF | {"confidence": "public"},
    "red_team": SELF | {"memory": False, "reflection": "both_sides"},
    "multi_round": SELF
    | {"phases": FOUR, "schedule": "sequential", "memory": False, "rating": "stake"},
}
PHASES = {study: FOUR if study == "multi_round" else THREE for study in OPTIONS}
STUDY_OF_TYPE = {
    "private_bet": "cross_model",
    "private_same_debator": "self",
    "private_self_bet": "multi_round",
    "private_same_debator_informed": "informed",
    "public_same_debator": "public",
    "readteam_debate": "red_team",
    "redteam_debate": "red_team",
}
SIDE_FILE = re.compile(
    r"(topic_list|debate_models|judge_models|private_bet_experiment_pairings|bet_analysis_results_.*)\.json",
    re.I,
)
SIDE_KEYS = (
    {"topic_description"},
    {"proposition", "opposition", "topic"},
    {"debate_id", "raw_bet_amount"},
)
MAX_FILE_BYTES = 64 * 2**20

Speech = Annotated[
    str | None, BeforeValidator(lambda value: None if type(value) is int and value == -1 else value)
]
Name = Annotated[str, Field(min_length=1)]


class Published(BaseModel):
    """What the published files have in common: JSON types are meant as written, and fields that we leave out may be there."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Motion(Published):
    """The motion of a debate."""

    topic_description: Name


class Output(Published):
    """One side's speeches by phase; -1 is a speech that was not given yet."""

    side: str
    speeches: dict[str, Speech]


class Bet(Published):
    """What a side staked with one speech, 0 to 100, and its private thoughts."""

    side: Literal["proposition", "opposition"]
    speech_type: str
    amount: float | None
    thoughts: str


class Vote(Published):
    """One judge's vote with its text; confidence 0 to 100."""

    model: Name
    winner: str | None
    confidence: float | None
    logic: str


class Debate(Published):
    """One published file; the reduced layout of the multi-round debates has no votes."""

    motion: Motion
    debate_type: str
    proposition_model: Name
    opposition_model: Name
    proposition_output: Output
    opposition_output: Output
    debator_bets: list[Bet] | None = None
    judge_results: list[Vote] | None = None

    def output(self, side: str) -> Output:
        """The speeches of a side."""
        return self.proposition_output if side == "proposition" else self.opposition_output

    def bets(self, side: str, phase: str) -> list[Bet]:
        """A side's bets in a phase: one, unless it was lost or stored twice."""
        return [
            bet for bet in self.debator_bets or () if (bet.side, bet.speech_type) == (side, phase)
        ]


@dataclass(frozen=True, slots=True)
class PublishedPlay:
    """A debate that was read: its id, its study, when it began (None: unknown), and its content."""

    episode: str
    study: str
    started_at: datetime | None
    debate: Debate

    def is_complete(self) -> bool:
        """Whether every speech was given."""
        return all(
            self.debate.output(side).speeches.get(phase) is not None
            for side in SIDES
            for phase in PHASES[self.study]
        )


@dataclass(frozen=True, slots=True)
class FolderContents:
    """What lies in a folder: debates by episode id, further copies of them, side files, and refused files with the reason."""

    plays: dict[str, PublishedPlay] = field(default_factory=dict)
    copies: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def read_folder(folder: Path) -> FolderContents:
    """Read every .json file below a folder, in the order of their names; hidden files and folders are left alone.

    Raises StudyError where there is no such folder.
    """
    if not folder.is_dir():
        raise StudyError(
            f"{folder} is not a folder; name your clone of llms_overconfidence, or a folder with its JSON files"
        )
    found = FolderContents()
    for file in files_below(folder, found):
        name = writable(file.relative_to(folder).as_posix())
        if file.suffix.lower() != ".json":
            found.passed_over.append(name)
            continue
        try:
            content = parse_json(file)
            play = None if is_side_file(file.name, content) else parse_debate(file.stem, content)
        except StudyError as error:
            found.refused.append((name, writable(str(error))))
            continue
        except RecursionError:
            found.refused.append((name, "is nested too deeply to be a debate"))
            continue
        if play is None:
            found.passed_over.append(name)
        elif play.episode in found.plays:
            found.copies.append(name)
        else:
            found.plays[play.episode] = play
    return found


def files_below(folder: Path, found: FolderContents) -> Iterator[Path]:
    """All files below a folder, each folder once however it is linked; a folder that cannot be opened is noted as refused."""

    def refuse(error: OSError) -> None:
        """Note a folder that cannot be opened."""
        found.refused.append(
            (
                writable(os.path.relpath(error.filename, folder)),
                f"cannot be opened: {error.strerror}",
            )
        )

    entered: set[str] = set()
    for where, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        real = os.path.realpath(where)
        folders[:] = [] if real in entered else sorted(name for name in folders if name[0] != ".")
        files = [] if real in entered else files
        entered.add(real)
        yield from (Path(where, name) for name in sorted(files) if name[0] != ".")


def parse_json(file: Path) -> object:
    """The content of a JSON file.  Raises StudyError with the reason where it is none."""
    try:
        if not file.is_file():
            raise StudyError("is not a file, or a link to nowhere")
        if file.stat().st_size > MAX_FILE_BYTES:
            raise StudyError(f"is larger than {MAX_FILE_BYTES >> 20} MiB, which no debate is")
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise StudyError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StudyError(f"is not UTF-8 text: {error.reason} at byte {error.start}") from error
    if not text.strip():
        raise StudyError("is empty")
    try:
        return json.loads(text, parse_constant=reject_nan)
    except ValueError as error:
        raise StudyError(f"is not JSON: {error}") from error


def reject_nan(word: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python would read and JSON does not have."""
    raise ValueError(f"it has {word} where a number should be")


def is_side_file(name: str, content: object) -> bool:
    """Whether a file is one of the publication's lists: topics, models with prices, pairings, labels; by name or by shape."""
    if isinstance(content, dict):
        if "debate_type" in content:
            return False
        rows: list[object] = list(content.values())
        listed = all(isinstance(row, list) and len(row) == 2 for row in rows)
    else:
        rows = content if isinstance(content, list) else []
        listed = any(
            all(isinstance(row, dict) and keys <= row.keys() for row in rows) for keys in SIDE_KEYS
        )
    return (bool(rows) and listed) or bool(SIDE_FILE.fullmatch(name))


def parse_debate(stem: str, content: object) -> PublishedPlay:
    """A debate out of a file's content, with an id that hangs on study, file stem and content.  Raises StudyError with the reason."""
    if not isinstance(content, dict):
        raise StudyError(
            f"has a {type(content).__name__} at top level, where a debate is an object"
        )
    try:
        debate = Debate.model_validate(content)
    except ValidationError as error:
        raise StudyError(sentence(error)) from error
    study = study_of(debate)
    for side in SIDES:
        check_side(debate, side, study)
    for bet in debate.debator_bets or ():
        if bet.speech_type not in PHASES[study]:
            raise StudyError(
                f"a bet of the {bet.side} is for {bet.speech_type!r}, which a {study} debate does not have"
            )
    return PublishedPlay(digest([SOURCE, study, stem, content]), study, start_of(stem), debate)


def sentence(error: ValidationError) -> str:
    """What is wrong with a file, from the first fault that pydantic found."""
    faults = error.errors(include_url=False, include_context=False)
    where = ".".join(str(part) for part in faults[0]["loc"])
    if faults[0]["type"] == "missing":
        words = f"lacks {where!r}"
    else:
        message = (
            "should be an object"
            if faults[0]["type"] == "model_type"
            else faults[0]["msg"].removeprefix("Input ")
        )
        words = f"{where} {message}, found {repr(faults[0]['input'])[:40]}"
    return words + (f" (and {len(faults) - 1} more)" if len(faults) > 1 else "")


def study_of(debate: Debate) -> str:
    """The study that a debate belongs to; where the type says only 'against itself', its phases decide between self and multi_round."""
    kind = debate.debate_type.casefold()
    if kind not in STUDY_OF_TYPE:
        raise StudyError(
            f"debate_type {debate.debate_type[:40]!r} is none of the published configurations"
        )
    if kind not in ("private_same_debator", "private_self_bet"):
        return STUDY_OF_TYPE[kind]
    phases = {phase for side in SIDES for phase in debate.output(side).speeches}
    if phases & {"rebuttal_1", "rebuttal_2"}:
        return "multi_round"
    return "self" if "rebuttal" in phases else STUDY_OF_TYPE[kind]


def check_side(debate: Debate, side: str, study: str) -> None:
    """Raise StudyError where a side's speeches are not those of its configuration.

    The full layout writes -1 for a speech not yet given; the reduced one leaves the phases out that were still to come.
    """
    output, phases = debate.output(side), PHASES[study]
    if output.side != side:
        raise StudyError(f"{side}_output is of side {output.side[:40]!r}")
    unknown = [phase for phase in output.speeches if phase not in phases]
    if unknown:
        raise StudyError(
            f"speeches of the {side} have {unknown[0][:40]!r}, which a {study} debate does not have"
        )
    lacking = tuple(phase for phase in phases if phase not in output.speeches)
    still_to_come = study == "multi_round" and lacking == phases[len(phases) - len(lacking) :]
    if lacking and not still_to_come:
        raise StudyError(f"speeches of the {side} lack {', '.join(map(repr, lacking))}")


def digest(content: object) -> str:
    """20 hex digits of the sha256 over canonical JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]


def start_of(stem: str) -> datetime | None:
    """The start that a file's name ends in, as _YYYYMMDD_HHMMSS; None where it does not."""
    match = re.search(r"_(\d{8})_(\d{6})$", stem, re.ASCII)
    try:
        return datetime.strptime(match[1] + match[2], "%Y%m%d%H%M%S") if match else None
    except ValueError:
        return None
