"""Import people's labels: judgements about stored debates, answers and turns.

A file has a row for each judgement, with the columns `item`, `rater` and `value`, and perhaps
`question` (what was asked), `note`, and the columns `probability` and `drawn` of a sheet that
`arena export --format label-sheet` has drawn.  An item is an episode (its id, or the unique
beginning of one), a turn as EPISODE/SEAT/STEP, or an answer as EPISODE/SEAT/answer/STAGE.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from arena.errors import StudyError
from arena.store import database
from arena.store.journal import line, write_journal
from arena.studies.rows import FIELDS, read_rows
from arena.text import pluralize, utc_now, writable

WINNER = "winner"
CORRECT = "correct"
# What may be said of who won, and of whether an answer is right; other questions have own words.
CLASSES = {
    WINNER: {name: name for name in ("proposition", "opposition", "tie")},
    CORRECT: {"right": "right", "wrong": "wrong", "true": "right", "false": "wrong"},
}
# An id is a hash: the beginning of one is that of no other.
SHORTEST_ID = 6
LONGEST_VALUE = 200
EPISODES = """
    select p.episode, p.study, count(*) filter (s.seat in ('proposition', 'opposition')) = 2,
           m.kind = 'debate'
    from plays p left join seats s on s.episode = p.episode
    left join subjects m on m.subject = p.subject
    where $1::varchar is null or p.study = $1 group by all order by p.episode
"""
TURNS = "select episode, seat, step from turns where episode in (select unnest($1))"
ANSWERS = """
    select episode, seat, stage, final from latest_answers where episode in (select unnest($1))
"""
STORED = """
    select item, question, rater, value, imported_at from label_entries
    where episode in (select unnest($1))
    qualify imported_at = max(imported_at) over (partition by item, question, rater)
"""
Text = Annotated[
    str,
    BeforeValidator(lambda value: "" if value is None else str(value).strip()),
    Field(max_length=LONGEST_VALUE),
]
Number = Annotated[
    float | None, BeforeValidator(lambda value: None if value in (None, "") else value)
]


class LabelRow(BaseModel):
    """A row of a file of labels as it is written; a blank value was not given."""

    model_config = ConfigDict(extra="ignore")

    place: str
    item: Text
    rater: Text = ""
    value: Text = ""
    question: Text = ""
    note: Annotated[str, BeforeValidator(lambda value: "" if value is None else str(value))] = ""
    probability: Annotated[Number, Field(gt=0, le=1)] = None
    drawn: Annotated[Number, Field(ge=1, le=2**31 - 1)] = None


class Item(NamedTuple):
    """A stored thing that can be labelled; what it does not have of a place is None."""

    kind: str
    episode: str
    seat: str | None = None
    step: int | None = None
    stage: int | None = None

    @property
    def name(self) -> str:
        """Its name in the table: unique among all items."""
        if self.kind == "turn":
            return f"{self.episode}/{self.seat}/{self.step}"
        if self.kind == "answer":
            return f"{self.episode}/{self.seat}/answer/{self.stage}"
        return self.episode


@dataclass(frozen=True, slots=True)
class Label:
    """One judgement: who said what of which item; `value` is None where it is withdrawn."""

    item: Item
    question: str
    rater: str
    value: str | None
    note: str = ""
    probability: float | None = None
    drawn: int | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What one rater may answer once."""
        return self.item.name, self.question, self.rater


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store holds that may be labelled.

    `episodes` are by id (study, whether it has two sides, whether it is a judging); `turns` and
    `answers` are those of episodes that are labelled, `finals` (seat, stage) of the final answer.
    """

    episodes: dict[str, tuple[str, bool, bool]]
    turns: frozenset[tuple[str, str, int]] = frozenset()
    answers: frozenset[tuple[str, str, int]] = frozenset()
    finals: dict[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelImport:
    """The result of an import: new labels by question, and what was passed over.

    `blank` rows have no value, `already_stored` labels were in the store.  `put_off` is why the
    rows still wait in the journal, None if they do not.
    """

    labels: dict[str, int]
    items: int
    raters: int
    replaced: int
    blank: int
    already_stored: int
    put_off: str | None = None


def import_labels(
    file: Path,
    path: Path,
    *,
    study: str | None = None,
    question: str = "",
    rater: str = "",
    overwrite: bool = False,
) -> LabelImport:
    """Import the labels in a .csv, .tsv, .jsonl, .json or .parquet file into the store at `path`.

    `question` and `rater` stand for columns that the file lacks; without a question, debates are
    labelled by who won and answers by whether they are right.  `study` is the one whose episodes
    are named.  With `overwrite`, a label that is stored with another value takes the new one, or is
    withdrawn where the value is blank.  Raises StudyError, and imports nothing, for a row whose
    item is not stored, whose value is none of the question's, or that contradicts another label.
    """
    rows = parse_rows(file, rater, question)
    episodes = database.select_rows(path, EPISODES, [study])
    stored = Stored({row[0]: (row[1], row[2], row[3]) for row in episodes})
    if study is not None and not stored.episodes:
        raise StudyError(f"{path} holds no episode of a study {study!r}")
    where = f"{path}, study {study}" if study else str(path)
    places = [find_episode(row, stored.episodes, where) for row in rows]
    ids = sorted({episode for episode, _ in places})
    turns = frozenset(database.select_rows(path, TURNS, [ids]).rows)
    answers = database.select_rows(path, ANSWERS, [ids]).rows
    stored = replace(
        stored,
        turns=turns,
        answers=frozenset(row[:3] for row in answers),
        finals={row[0]: row[1:3] for row in answers if row[3]},
    )
    labels = unique(
        file,
        (make_label(row, *place, stored) for row, place in zip(rows, places, strict=True)),
    )
    known = {row[:3]: row[3:] for row in database.select_rows(path, STORED, [ids])}
    new = [label for label in labels if is_new(file, path, label, known, overwrite)]
    put_off = write_labels(path, file, new) if new else None
    given = [label for label in new if label.value is not None]
    said = sum(label.value is not None for label in labels)
    return LabelImport(
        dict(sorted(Counter(label.question for label in given).items())),
        len({label.item for label in given}),
        len({label.rater for label in given}),
        sum(label.key in known for label in new),
        len(labels) - said - (len(new) - len(given)),
        said - len(given),
        put_off,
    )


def parse_rows(file: Path, rater: str, question: str) -> list[LabelRow]:
    """Return the rows of a file, with what the options say where it has no such column."""
    rows = []
    for number, content in enumerate(read_rows(file, "labels"), 1):
        place = f"{file}, row {number}"
        if not isinstance(content, dict):
            raise StudyError(f"{place}: a label is an object with {FIELDS['labels']}")
        try:
            row = LabelRow.model_validate(content | {"place": place})
        except ValidationError as error:
            fault = error.errors(include_url=False, include_context=False)[0]
            name = ".".join(map(str, fault["loc"]))
            if fault["type"] == "missing":
                raise StudyError(f"{place}: there is no column {name}") from error
            raise StudyError(
                f"{place}: {name} {fault['msg'].removeprefix('Input ').removeprefix('String ')},"
                f" found {content.get(name)!r:.60}"
            ) from error
        row.rater = writable(row.rater or rater)
        row.question = writable(row.question or question)
        if not row.item:
            raise StudyError(f"{place}: the column item is missing or blank")
        if row.value and not row.rater:
            raise StudyError(
                f"{place}: nobody is named who said {row.value!r}; give the file a"
                " column rater, or name one person with --rater"
            )
        rows.append(row)
    return rows


def find_episode(
    row: LabelRow, episodes: Mapping[str, object], where: str
) -> tuple[str, list[str]]:
    """Return the id of the episode that a row's item begins with, and the parts that follow it."""
    parts = row.item.split("/")
    # Ids of imports may hold slashes: the longest known one counts.
    for size in range(len(parts), 0, -1):
        if (head := "/".join(parts[:size])) in episodes:
            return head, parts[size:]
    found = [name for name in episodes if name.startswith(parts[0])]
    if len(parts[0]) >= SHORTEST_ID and len(found) == 1:
        return found[0], parts[1:]
    if len(parts[0]) >= SHORTEST_ID and found:
        raise StudyError(f"{row.place}: several episodes begin with {parts[0]!r}; write out the id")
    raise StudyError(
        f"{row.place}: there is no episode {parts[0]!r:.80} in {where}; an item is an episode's id"
        " (arena sql 'from episodes'), EPISODE/SEAT/STEP or EPISODE/SEAT/answer/STAGE"
    )


def make_label(row: LabelRow, episode: str, rest: Sequence[str], stored: Stored) -> Label:
    """Return the label of a row on an episode, or on what `rest` names in it.

    Raises StudyError for an item or a value that cannot be.
    """
    place = row.place
    _, has_sides, is_judging = stored.episodes[episode]
    item = find_item(place, episode, rest, stored)
    question = row.question or default_question(place, item, stored)
    if question == CORRECT and item.kind == "episode":
        if episode not in stored.finals:
            raise StudyError(f"{place}: the episode {episode} has no final answer to be right")
        seat, stage = stored.finals[episode]
        item = Item("answer", episode, seat, stage=stage)
    if question == CORRECT and item.kind == "turn":
        raise StudyError(
            f"{place}: right or wrong are answers; name one as {episode}/{item.seat}/answer/STAGE"
        )
    if question == WINNER and (item.kind != "episode" or not has_sides):
        judged = "a judging: label the debate that it judges" if is_judging else "no debate"
        raise StudyError(f"{place}: who won is asked of debates, and {row.item} is {judged}")
    value = row.value
    if value and question in CLASSES:
        classes = CLASSES[question]
        if value.lower() not in classes:
            named = ", ".join(dict.fromkeys(classes.values()))
            raise StudyError(f"{place}: the value is one of {named}, found {value!r:.60}")
        value = classes[value.lower()]
    return Label(
        item,
        question,
        row.rater,
        writable(value) or None,
        writable(row.note),
        row.probability,
        None if row.drawn is None else int(row.drawn),
    )


def find_item(place: str, episode: str, rest: Sequence[str], stored: Stored) -> Item:
    """Return the stored thing that is named after its episode: nothing, a turn, or an answer."""
    match rest:
        case []:
            return Item("episode", episode)
        case [seat, "answer", stage] if stage.isdecimal():
            if (episode, seat, int(stage)) in stored.answers:
                return Item("answer", episode, seat, stage=int(stage))
        case [seat, step] if step.isdecimal():
            if (episode, seat, int(step)) in stored.turns:
                return Item("turn", episode, seat, int(step))
    raise StudyError(
        f"{place}: the episode {episode} has no turn or answer {'/'.join(rest)!r:.80}; a turn is"
        " EPISODE/SEAT/STEP, an answer EPISODE/SEAT/answer/STAGE, both counted from 0"
    )


def default_question(place: str, item: Item, stored: Stored) -> str:
    """Return what is asked of an item where the file does not say: who won, or is it right."""
    if item.kind == "answer":
        return CORRECT
    if item.kind == "episode" and stored.episodes[item.episode][1]:
        return WINNER
    if item.kind == "episode" and item.episode in stored.finals:
        return CORRECT
    raise StudyError(
        f"{place}: what was asked about {item.name}? Say it in a column question, or with"
        " --question, such as aligned"
    )


def unique(file: Path, labels: Iterable[Label]) -> list[Label]:
    """Return the labels without repeated ones.  Raises StudyError for two that differ."""
    found: dict[tuple[str, str, str], Label] = {}
    for label in labels:
        other = found.setdefault(label.key, label)
        if other.value != label.value:
            raise StudyError(
                f"{file}: {label.rater or 'nobody'} says both {other.value or 'nothing'!r} and"
                f" {label.value or 'nothing'!r} of {label.item.name} ({label.question}); leave one"
            )
    return list(found.values())


def is_new(
    file: Path, path: Path, label: Label, known: Mapping[Any, tuple[Any, ...]], overwrite: bool
) -> bool:
    """Tell whether a label is to be stored.  Raises StudyError if another value is."""
    value, imported_at = known.get(label.key, (None, None))
    if label.value == value or (label.value is None and not overwrite):
        return False
    if value is not None and not overwrite:
        raise StudyError(
            f"{file}: {label.rater} says {label.value!r} of {label.item.name} ({label.question}),"
            f" but {path} holds {value!r}, imported {imported_at:%Y-%m-%d}; --replace takes the new"
            " value"
        )
    return True


def label_line(label: Label, source: str, source_hash: str, imported_at: datetime) -> bytes:
    """Return the journal line of a label."""
    item = label.item
    row = {
        "item": item.name,
        **item._asdict(),
        "question": label.question,
        "rater": label.rater,
        "value": label.value,
        "note": label.note or None,
        "probability": label.probability,
        "drawn": label.drawn,
        "source": source,
        "source_hash": source_hash,
        "imported_at": imported_at,
    }
    return line("label_entries", {name: value for name, value in row.items() if value is not None})


def write_labels(path: Path, file: Path, labels: Sequence[Label]) -> str | None:
    """Write labels through a journal, all or none; return why they are not folded yet, or None."""
    database.create(path)  # brings an older store up to date
    now = utc_now()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    journal = database.journal_folder(path) / f"{now:%Y%m%dT%H%M%S}-labels-{digest[:6]}.jsonl"
    # The same file twice in a second, with other options, must not take the other's name.
    number = 1
    while journal.exists():
        number += 1
        journal = journal.with_name(f"{now:%Y%m%dT%H%M%S}-labels-{digest[:6]}{number}.jsonl")
    source = writable(file.name)
    write_journal(journal, (label_line(label, source, digest, now) for label in labels))
    return database.fold(path).put_off


def label_lines(imported: LabelImport) -> list[str]:
    """Return the result of an import as lines for the terminal."""
    new = sum(imported.labels.values())
    lines = ["nothing new"]
    if new:
        by_question = ", ".join(f"{name} {count}" for name, count in imported.labels.items())
        lines = [
            f"imported {pluralize(new, 'label')} ({by_question}) on"
            f" {pluralize(imported.items, 'item')} by {pluralize(imported.raters, 'rater')}"
        ]
    if imported.replaced:
        lines.append(f"{pluralize(imported.replaced, 'stored label')} replaced or withdrawn")
    if imported.already_stored:
        lines.append(f"{pluralize(imported.already_stored, 'label')} had been imported before")
    if imported.blank:
        lines.append(f"{pluralize(imported.blank, 'row')} without a value")
    return lines + ([f"not folded yet: {imported.put_off}"] if imported.put_off else [])
