"""Read and check the files of "When Two LLMs Debate, Both Think They'll Win" (arXiv 2505.19184).

They have two layouts: that of the five configurations with three speeches, and the reduced one of
the multi-round debates.  A file of another format is refused with a reason; nothing is repaired,
and a number that is no confidence is left for the rows to flag.
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
# The configurations of the paper as options of our debate protocol.
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
# The published `debate_type` as it is written, with its misspellings, in lower case.
STUDY_OF_TYPE = {
    "private_bet": "cross_model",
    "private_same_debator": "self",
    "private_self_bet": "multi_round",
    "private_same_debator_informed": "informed",
    "public_same_debator": "public",
    "readteam_debate": "red_team",
    "redteam_debate": "red_team",
}
# A file without any of these keys is no debate: topics, prices, pairings, labels, costs.
DEBATE_KEYS = {"debate_type", "proposition_output", "opposition_output"}
LABEL_KEYS = {"debate_id", "side", "speech_type", "analysis"}
PAIRS_OF_PRICES = [[one, other] for one in (int, float) for other in (int, float)]
# Files of the publication that are no debates, whatever is in them.
SIDE_NAME = re.compile(
    r"(?:^|/)(?:bet_analysis_results_[^/]*|model_token_usage_and_cost|[^/]*_pairings|topic_list"
    r"|debate_models|judge_models)\.json$",
    re.IGNORECASE,
)
MAX_FILE_BYTES = 64 * 2**20

# In strict mode, pydantic would refuse the number -1 in the place of a text.
Speech = Annotated[
    str | None, BeforeValidator(lambda value: None if type(value) is int and value == -1 else value)
]
Name = Annotated[str, Field(min_length=1)]


class Published(BaseModel):
    """A part of a published file: JSON types are taken as written, unknown fields are allowed."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Motion(Published):
    """The motion of a debate."""

    topic_description: Name


class Output(Published):
    """One side's speeches by phase; a speech that was not given yet (-1) is None."""

    side: str
    speeches: dict[str, Speech]


class Bet(Published):
    """A side's stake with one speech, 0 to 100, and its private thoughts."""

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
    # Whatever they hold, the debate is one: side_files.py reads them.
    debator_token_counts: object = None
    judge_token_counts: object = None

    def output(self, side: str) -> Output:
        """Return the speeches of a side."""
        return self.proposition_output if side == "proposition" else self.opposition_output

    def bets(self, side: str, phase: str) -> list[Bet]:
        """Return a side's bets in a phase: one, unless it was lost or stored twice."""
        bets = self.debator_bets or ()
        return [bet for bet in bets if (bet.side, bet.speech_type) == (side, phase)]


@dataclass(frozen=True, slots=True)
class PublishedPlay:
    """A debate that was read: its id, study, start (None: unknown), content and file's name."""

    episode: str
    study: str
    started_at: datetime | None
    debate: Debate
    stem: str = ""

    def is_complete(self) -> bool:
        """Return whether every speech was given."""
        speeches = [self.debate.output(side).speeches for side in SIDES]
        phases = PHASES[self.study]
        return all(texts.get(phase) is not None for texts in speeches for phase in phases)


@dataclass(frozen=True, slots=True)
class SideFile:
    """A file beside the debates: its name, what it holds, sha256, and content."""

    name: str
    kind: Literal["labels", "costs", "prices"]
    digest: str
    content: object


@dataclass(frozen=True, slots=True)
class FolderContents:
    """The files in a folder.

    `plays` are the debates by episode id, `copies` further copies of them, `sides` labels, costs
    and prices, `passed_over` files with nothing to import, `refused` files with the reason.
    """

    plays: dict[str, PublishedPlay] = field(default_factory=dict)
    sides: list[SideFile] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def read_folder(folder: Path) -> FolderContents:
    """Read every .json file below a folder, in the order of the names.

    Hidden files and folders are left alone.  Raises StudyError if there is no such folder.
    """
    if not folder.is_dir():
        raise StudyError(
            f"{folder} is not a folder; name your clone of llms_overconfidence, or a folder with"
            " its JSON files"
        )
    contents = FolderContents()
    for file in files_below(folder, contents):
        name = writable(file.relative_to(folder).as_posix())
        if file.suffix.lower() != ".json":
            contents.passed_over.append(name)
            continue
        try:
            content = parse_json(file)
            play = parse_debate(file.stem, content) if holds_debate(content) else None
        except StudyError as error:
            refuse(contents, name, writable(str(error)))
            continue
        except RecursionError:
            refuse(contents, name, "is nested too deeply to be a debate")
            continue
        if play is None:
            pass_over(contents, name, file, content)
        elif play.episode in contents.plays:
            contents.copies.append(name)
        else:
            contents.plays[play.episode] = play
    return contents


def refuse(contents: FolderContents, name: str, reason: str) -> None:
    """Note a file that cannot be read: as passed over if its name says that it is no debate."""
    if SIDE_NAME.search(name):
        contents.passed_over.append(name)
    else:
        contents.refused.append((name, reason))


def pass_over(contents: FolderContents, name: str, file: Path, content: object) -> None:
    """Keep the content of a file without debates if it can be imported, or note its name."""
    kind = side_kind(content)
    if kind is None:
        contents.passed_over.append(name)
    else:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        contents.sides.append(SideFile(name, kind, digest, content))


def side_kind(content: object) -> Literal["labels", "costs", "prices"] | None:
    """Return what a file without debates holds, None if nothing to import."""
    if isinstance(content, list):
        rows = [row for row in content if isinstance(row, dict)]
        return "labels" if rows and rows[0].keys() >= LABEL_KEYS else None
    if not isinstance(content, dict) or not content:
        return None
    if isinstance(content.get("model_stats"), dict):
        return "costs"
    pairs = [
        isinstance(pair, list) and list(map(type, pair)) in PAIRS_OF_PRICES
        for pair in content.values()
    ]
    return "prices" if all(pairs) else None


def files_below(folder: Path, contents: FolderContents) -> Iterator[Path]:
    """Yield all files below a folder; a folder that cannot be opened is noted as refused.

    A folder that is linked several times is entered once.
    """

    def refuse(error: OSError) -> None:
        """Note a folder that cannot be opened."""
        name = writable(os.path.relpath(error.filename, folder))
        contents.refused.append((name, f"cannot be opened: {error.strerror}"))

    # By real path: with followlinks, os.walk runs in circles where a link leads upwards.
    entered: set[str] = set()
    for where, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        real = os.path.realpath(where)
        # os.walk enters the folders that are left in its list.
        folders[:] = [] if real in entered else sorted(name for name in folders if name[0] != ".")
        files = [] if real in entered else files
        entered.add(real)
        yield from (Path(where, name) for name in sorted(files) if name[0] != ".")


def parse_json(file: Path) -> object:
    """Return the content of a JSON file.  Raises StudyError with the reason if it is not one."""
    try:
        if not file.is_file():
            raise StudyError("is not a file, or a link to nowhere")
        if file.stat().st_size > MAX_FILE_BYTES:
            raise StudyError(f"is larger than {MAX_FILE_BYTES >> 20} MiB, which no debate is")
        # Strictly, and without the byte order mark that some editors put first.
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
    """Raise ValueError for NaN and Infinity, which Python reads although JSON lacks them."""
    raise ValueError(f"it has {word} where a number should be")


def holds_debate(content: object) -> bool:
    """Return whether a file holds a debate, or several in a list, whole or not."""
    rows = content if isinstance(content, list) else [content]
    return any(isinstance(row, dict) and not DEBATE_KEYS.isdisjoint(row) for row in rows)


def parse_debate(stem: str, content: object) -> PublishedPlay:
    """Return the debate in a file's content; its id is a hash of study, file stem and content.

    Raises StudyError with the reason if it is not a debate.
    """
    if not isinstance(content, dict):
        raise StudyError(
            f"has a {type(content).__name__} at the top level, but a debate is an object"
        )
    try:
        debate = Debate.model_validate(content)
    except ValidationError as error:
        raise StudyError(sentence(error)) from error
    study = study_of(debate)
    # Pydantic has checked the types; these checks need the configuration.
    for side in SIDES:
        check_side(debate, side, study)
    for bet in debate.debator_bets or ():
        if bet.speech_type not in PHASES[study]:
            raise StudyError(
                f"a bet of the {bet.side} is for {bet.speech_type!r}, which a {study} debate does"
                " not have"
            )
    return PublishedPlay(
        digest([SOURCE, study, stem, content]), study, start_of(stem), debate, stem
    )


def sentence(error: ValidationError) -> str:
    """Return the first of pydantic's errors as the reason for which a file is refused."""
    faults = error.errors(include_url=False, include_context=False)
    where = ".".join(str(part) for part in faults[0]["loc"])
    if faults[0]["type"] == "missing":
        words = f"lacks {where!r}"
    else:
        # Pydantic's own message would name our class.
        is_object = faults[0]["type"] == "model_type"
        message = "should be an object" if is_object else faults[0]["msg"].removeprefix("Input ")
        words = f"{where} {message}, found {repr(faults[0]['input'])[:40]}"
    return words + (f" (and {len(faults) - 1} more)" if len(faults) > 1 else "")


def study_of(debate: Debate) -> str:
    """Return the study of a debate.

    If its type says only that a model debates itself, its phases decide between self and
    multi_round.  Raises StudyError for a type that is not of the publication.
    """
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
    """Raise StudyError if a side's speeches are not those of its configuration.

    The full layout writes -1 for a speech that was not given yet; the reduced one leaves out the
    phases that were still to come.
    """
    output = debate.output(side)
    phases = PHASES[study]
    if output.side != side:
        raise StudyError(f"{side}_output is of side {output.side[:40]!r}")
    unknown = [phase for phase in output.speeches if phase not in phases]
    if unknown:
        raise StudyError(
            f"speeches of the {side} have {unknown[0][:40]!r}, which a {study} debate does not have"
        )
    lacking = tuple(phase for phase in phases if phase not in output.speeches)
    # Only the last phases can be still to come, not one between others.
    still_to_come = study == "multi_round" and lacking == phases[len(phases) - len(lacking) :]
    if lacking and not still_to_come:
        raise StudyError(f"speeches of the {side} lack {', '.join(map(repr, lacking))}")


def digest(content: object) -> str:
    """Return 20 hex digits of the sha256 of canonical JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]


def start_of(stem: str) -> datetime | None:
    """Return the start at the end of a file's name, _YYYYMMDD_HHMMSS; None if there is none."""
    match = re.search(r"_(\d{8})_(\d{6})$", stem, re.ASCII)
    try:
        return datetime.strptime(match[1] + match[2], "%Y%m%d%H%M%S") if match else None
    except ValueError:
        return None
