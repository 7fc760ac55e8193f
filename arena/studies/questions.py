"""What is answered: questions with their gold answers, from a file or from the Hugging Face hub.

A file is JSON lines, a JSON list, a Parquet table, or plain text (one question a line, without gold answers).  Options are put into an order
of our own: the published file of GPQA has all 198 right answers at "A", so that whoever prefers the first option seems to know them.
"""

from __future__ import annotations

import hashlib
import math
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arena.errors import StudyError
from arena.studies.motions import read_rows
from arena.types import Subject

# The columns that are looked for where the caller names none, the first that a row has.
QUESTION = ("question", "problem", "text")
GOLD = ("answer", "gold", "target")
CHOICES = ("choices", "options")
SOURCE = ("source",)
LICENCE = ("licence", "license")
LETTERS = string.ascii_uppercase

Value = str | bool | int | float | None


class QuestionRow(BaseModel):
    """A question as a file gives it, under our names."""

    model_config = ConfigDict(str_strip_whitespace=True)

    question: str = Field(min_length=1)
    gold: Value | list[Value] = None
    choices: list[Value] | dict[str, Value | list[Value]] | None = None
    source: str | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold what: of each the names to try, in order."""

    question: tuple[str, ...]
    gold: tuple[str, ...]
    choices: tuple[str, ...]
    source: tuple[str, ...]
    licence: tuple[str, ...]


def questions(
    path: str | Path,
    *,
    question: str = "question",
    gold: str | None = "answer",
    choices: str | None = None,
    source: str | None = None,
    licence: str | None = None,
    seed: int | None = 0,
) -> tuple[Subject, ...]:
    """Questions from a .jsonl, .json, .csv, .parquet or .txt file, in the file's order; the names say which column holds what.

    Unless named otherwise, the question stands in `question`, `problem` or `text`, the gold answer in `answer`, `gold` or `target`, the
    options in `choices` or `options` (a list, or a mapping from letter to text), and `source` (else the file's name) and `licence` in
    columns of these names.  A gold answer is text as it stands in the file ("025" keeps its zero), a number becomes text, of a worked
    solution that ends in `#### 18` it is what follows (GSM8K).  Every row has one, or nothing is graded: `gold=None`.

    With options, `Subject.choices` holds their texts and `gold` the letter of the right one, "A" for the first.  Their order depends on
    `seed`, question and texts alone, not on the file's order, which is kept with `seed=None` only.  In the file, a whole number is an index
    from 0 unless it labels an option; a text is a label, else the text of an option, else an index.  Options may be identical.

    Raises StudyError, with file and row, where there is no question, a gold answer names no option or two, or a named column is in no row.
    """
    file = Path(path)
    columns = _columns(question, gold, choices, source, licence)
    return _subjects(read_rows(file, "questions"), str(file), columns, file.name, seed)


def hub_questions(
    dataset: str,
    *,
    split: str = "test",
    subset: str | None = None,
    question: str = "question",
    gold: str | None = "answer",
    choices: str | None = None,
    seed: int | None = 0,
) -> tuple[Subject, ...]:
    """Questions from a data set of the Hugging Face hub ("owner/name" or "owner/name@revision"), read as `questions` reads a file.

    This is the one function here that uses the network.  `source` is the data set's name; name a revision for results that reproduce.
    Raises StudyError where the package `datasets` is not installed, or there is no such data set, subset or split.
    """
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise StudyError(
            f"reading {dataset} from the hub needs the package datasets: pip install 'peer-arena[hub]'"
        ) from error
    name, _, revision = dataset.partition("@")
    try:
        rows = list(load_dataset(name, subset, split=split, revision=revision or None))
    except (OSError, ValueError) as error:
        raise StudyError(
            f"cannot read the split {split!r} of {dataset} from the hub: {str(error).splitlines()[0]}"
        ) from error
    if not rows:
        raise StudyError(f"the split {split!r} of {dataset} has no questions")
    return _subjects(rows, dataset, _columns(question, gold, choices, None, None), dataset, seed)


def _columns(
    question: str, gold: str | None, choices: str | None, source: str | None, licence: str | None
) -> Columns:
    """The names to try: our own where the caller has left the defaults, else what it named."""
    return Columns(
        QUESTION if question == QUESTION[0] else (question,),
        () if gold is None else GOLD if gold == GOLD[0] else (gold,),
        (choices,) if choices else CHOICES,
        (source,) if source else SOURCE,
        (licence,) if licence else LICENCE,
    )


def _subjects(
    rows: Iterable[object], place: str, columns: Columns, source: str, seed: int | None
) -> tuple[Subject, ...]:
    """Check the rows of a file or data set, one after another."""
    known: set[str] = set()
    found = []
    for number, row in enumerate(rows, 1):
        where = f"{place}, row {number}"
        if not isinstance(row, Mapping):
            raise StudyError(
                f"{where}: a row is an object with a field `{columns.question[0]}`, not {type(row).__name__}"
            )
        known.update(row)
        checked = _check_row(row, columns, where)
        try:
            made = _subject(checked, source, seed)
            if made.gold is None and columns.gold:
                tried = " or ".join(f"`{name}`" for name in columns.gold)
                raise ValueError(
                    f"no answer in the field {tried}; there are {', '.join(map(str, row))} (gold=None: nothing is to be graded)"
                )
            found.append(made)
        except ValueError as error:
            raise StudyError(f"{where}: {error}") from error
    for names in (columns.gold, columns.choices, columns.source, columns.licence):
        if names and names not in (GOLD, CHOICES, SOURCE, LICENCE) and not known & set(names):
            raise StudyError(
                f"{place}: no row has the column {names[0]!r} that you named; there are {', '.join(sorted(known))}"
            )
    return tuple(found)


def _check_row(row: Mapping[str, object], columns: Columns, where: str) -> QuestionRow:
    """A row under our names, with the types that it must have."""
    names = {field: getattr(columns, field) for field in QuestionRow.model_fields}
    values = {
        field: next((row[name] for name in tried if row.get(name) is not None), None)
        for field, tried in names.items()
    }
    if values["question"] is None:
        tried = " or ".join(f"`{name}`" for name in columns.question)
        raise StudyError(
            f"{where}: no question in the field {tried}; there are {', '.join(map(str, row))}"
        )
    try:
        return QuestionRow.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise StudyError(
            f"{where}: {first['msg']} in what stands for `{first['loc'][0]}`, {str(first['input'])[:80]!r}"
        ) from error


def _subject(row: QuestionRow, source: str, seed: int | None) -> Subject:
    """The question of a row.  Raises ValueError, with the reason, where options and gold answer do not fit."""
    gold = row.gold
    if isinstance(gold, list):
        if len(gold) > 1:
            raise ValueError(f"{len(gold)} gold answers; a question has one")
        gold = gold[0] if gold else None
    if isinstance(gold, float) and math.isnan(gold):
        gold = None
    options = _options(row.choices)
    if not options:
        return Subject(
            row.question,
            "question",
            _gold_text(gold),
            source=row.source or source,
            licence=row.licence,
        )
    right = (
        None
        if gold in (None, "")
        else options[
            _gold_index(gold, [label for label, _ in options], [text for _, text in options])
        ][1]
    )
    texts = tuple(text for _, text in options)
    if seed is not None:
        texts = tuple(
            sorted(
                texts,
                key=lambda text: hashlib.sha256(
                    "\0".join((str(seed), row.question, text)).encode()
                ).digest(),
            )
        )
    letter = None if right is None else LETTERS[texts.index(right)]
    return Subject(row.question, "question", letter, texts, row.source or source, row.licence)


def _gold_text(gold: Value) -> str | None:
    """A gold answer as text; None where there is none."""
    if isinstance(gold, float) and abs(gold) >= 2**53:
        raise ValueError(
            f"the gold answer {gold!r} is a number too large to be read exactly; write it as text"
        )
    text = "" if gold is None else str(gold).lower() if isinstance(gold, bool) else str(gold)
    return text.rpartition("####")[2].strip() or None


def _options(choices: list[Value] | dict[str, Value | list[Value]] | None) -> list[tuple[str, str]]:
    """(label, text) of each option in the file's order; a list has the labels A, B, C and so on."""
    if not choices:
        return []
    if isinstance(choices, dict) and set(choices) == {"label", "text"}:  # two lists, as in ARC
        labels, values = choices["label"], choices["text"]
    elif isinstance(choices, dict):
        labels, values = list(choices), list(choices.values())
    else:
        labels, values = list(LETTERS[: len(choices)]), choices
    if (
        not isinstance(labels, list)
        or not isinstance(values, list)
        or len(labels) != len(values)
        or not 2 <= len(values) <= len(LETTERS)
    ):
        raise ValueError(
            f"options must be a list or a mapping from letter to text, of 2 to {len(LETTERS)}"
        )
    if any(value is None or isinstance(value, list) or not str(value).strip() for value in values):
        raise ValueError("an option has no text")
    return [
        (str(label).strip(), str(value).strip())
        for label, value in zip(labels, values, strict=True)
    ]


def _gold_index(gold: Value, labels: list[str], texts: list[str]) -> int:
    """Where in the options the gold answer stands, from 0."""
    # A column of whole numbers with a gap comes out of some tables as floats.
    word = str(int(gold) if isinstance(gold, float) and gold.is_integer() else gold).strip()
    label = labels.index(word) if word in labels else None
    text = texts.index(word) if word in texts else None
    if (
        isinstance(gold, str)
        and label is not None
        and text is not None
        and texts[label] != texts[text]
    ):
        raise ValueError(
            f"the gold answer {word!r} is the label of one option and the text of another; give its index, from 0"
        )
    if label is not None:
        return label
    if isinstance(gold, str) and text is not None:
        return text
    if word.isascii() and word.isdecimal() and int(word) < len(texts):
        return int(word)
    raise ValueError(
        f"the gold answer {word[:80]!r} is neither a label ({', '.join(labels)}) nor the text of an option, nor an index from 0"
    )
