"""Read questions with their gold answers, from a file or from the Hugging Face hub.

A file is JSON lines, a JSON list, a CSV or Parquet table, or plain text (one question a line,
without gold answers).  Options get an order of our own: the published file of GPQA has all 198
right answers at "A", so that anyone who prefers the first option seems to know them.
"""

from __future__ import annotations

import hashlib
import math
import string
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arena.errors import StudyError
from arena.studies.motions import read_rows
from arena.types import Subject

# Columns to try when the caller names none; the first one that a row has is used.
OUR_COLUMNS = {
    "question": ("question", "problem", "text"),
    "gold": ("answer", "gold", "target"),
    "choices": ("choices", "options"),
    "source": ("source",),
    "licence": ("licence", "license"),
}
LETTERS = string.ascii_uppercase

# For each field of a row, the columns to try in order; none if there is no such field.
Columns = Mapping[str, tuple[str, ...]]
Value = str | bool | int | float | None


class QuestionRow(BaseModel):
    """A question as a file states it, under our names."""

    model_config = ConfigDict(str_strip_whitespace=True)

    question: str = Field(min_length=1)
    gold: Value | list[Value] = None
    choices: list[Value] | dict[str, Value | list[Value]] | None = None
    source: str | None = None
    licence: str | None = None


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
    """Read questions from a .jsonl, .json, .csv, .parquet or .txt file, in the file's order.

    The keyword arguments name the columns.  By default the question is in `question`, `problem` or
    `text`, the gold answer in `answer`, `gold` or `target`, the options in `choices` or `options`
    (a list, or a mapping from letter to text), and `source` (else the file's name) and `licence` in
    columns of these names.  A gold answer is the text in the file ("025" keeps its zero); a number
    becomes text; of a worked solution that ends in `#### 18` only the end counts (GSM8K).  Every
    row needs one, unless nothing is to be graded: `gold=None`.

    For questions with options, `Subject.choices` holds their texts and `gold` the letter of the
    right one, "A" for the first.  Their order depends on `seed`, question and texts alone; only
    `seed=None` keeps the file's order.  In the file, a whole number is an index from 0 unless it
    labels an option; a text is a label, else the text of an option, else an index.  Options may be
    identical.

    Raises StudyError, with file and row, if there is no question, if a gold answer names no option
    or two, or if a named column is in no row.
    """
    file = Path(path)
    others = {"choices": choices, "source": source, "licence": licence}
    columns = _columns(question, gold, others)
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
    """Read questions from a data set of the Hugging Face hub, as `questions` reads a file.

    `dataset` is "owner/name" or "owner/name@revision"; name a revision for results that reproduce.
    This is the only function here that uses the network.  `source` is the data set's name.  Raises
    StudyError if the package `datasets` is not installed, or if there is no such data set, subset
    or split.
    """
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise StudyError(
            f"reading {dataset} from the hub needs the package datasets:"
            " pip install 'peer-arena[hub]'"
        ) from error
    name, _, revision = dataset.partition("@")
    try:
        rows = list(load_dataset(name, subset, split=split, revision=revision or None))
    except (OSError, ValueError) as error:
        raise StudyError(
            f"cannot read the split {split!r} of {dataset} from the hub:"
            f" {str(error).splitlines()[0]}"
        ) from error
    if not rows:
        raise StudyError(f"the split {split!r} of {dataset} has no questions")
    return _subjects(rows, dataset, _columns(question, gold, {"choices": choices}), dataset, seed)


def _columns(question: str, gold: str | None, others: Mapping[str, str | None]) -> Columns:
    """Return the columns to try: our own if the caller left the defaults, else the caller's."""
    columns = OUR_COLUMNS | {field: (name,) for field, name in others.items() if name}
    if question != "question":
        columns["question"] = (question,)
    if gold != "answer":
        columns["gold"] = () if gold is None else (gold,)
    return columns


def _subjects(
    rows: Iterable[object], place: str, columns: Columns, source: str, seed: int | None
) -> tuple[Subject, ...]:
    """Check the rows of a file or data set one after another, and return their questions."""
    fields: set[str] = set()
    subjects = []
    for number, row in enumerate(rows, 1):
        where = f"{place}, row {number}"
        if not isinstance(row, Mapping):
            raise StudyError(
                f"{where}: a row is an object with a field `{columns['question'][0]}`,"
                f" not {type(row).__name__}"
            )
        fields.update(row)
        question = _check_row(row, columns, where)
        try:
            subject = _subject(question, source, seed)
            if subject.gold is None and columns["gold"]:
                raise ValueError(
                    f"no answer in the field {_alternatives(columns['gold'])}; there are"
                    f" {', '.join(map(str, row))} (gold=None: nothing is to be graded)"
                )
        except ValueError as error:
            raise StudyError(f"{where}: {error}") from error
        subjects.append(subject)
    # A name of the caller's that no row has is a typing error; our own names need not be there.
    for field, names in columns.items():
        if names and names != OUR_COLUMNS[field] and not fields & set(names):
            raise StudyError(
                f"{place}: no row has the column {names[0]!r} that you named;"
                f" there are {', '.join(sorted(fields))}"
            )
    return tuple(subjects)


def _alternatives(names: Iterable[str]) -> str:
    """Return names of columns as words of a sentence."""
    return " or ".join(f"`{name}`" for name in names)


def _check_row(row: Mapping[str, object], columns: Columns, where: str) -> QuestionRow:
    """Return a row under our names, with the types that it must have."""
    values = {
        field: next((row[name] for name in names if row.get(name) is not None), None)
        for field, names in columns.items()
    }
    if values["question"] is None:
        raise StudyError(
            f"{where}: no question in the field {_alternatives(columns['question'])};"
            f" there are {', '.join(map(str, row))}"
        )
    try:
        return QuestionRow.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise StudyError(
            f"{where}: {first['msg']}, found {str(first['input'])[:80]!r} as `{first['loc'][0]}`"
        ) from error


def _subject(row: QuestionRow, source: str, seed: int | None) -> Subject:
    """Return the question of a row, or raise ValueError if options and gold answer do not fit."""
    gold = row.gold
    if isinstance(gold, list):
        if len(gold) > 1:
            raise ValueError(f"{len(gold)} gold answers; a question has one")
        gold = gold[0] if gold else None
    # Tables state an empty cell as a float that is not a number.
    if isinstance(gold, float) and math.isnan(gold):
        gold = None
    source = row.source or source
    options = _options(row.choices)
    if not options:
        return Subject(row.question, "question", _gold_text(gold), (), source, row.licence)
    labels = [label for label, _ in options]
    texts = [text for _, text in options]
    right = None if gold in (None, "") else texts[_gold_index(gold, labels, texts)]
    if seed is not None:
        # Sorted by a hash of question and text: the order hangs on no other row and on no order.
        prefix = f"{seed}\0{row.question}\0"
        texts.sort(key=lambda text: hashlib.sha256((prefix + text).encode()).digest())
    # Of identical options the first one is as right as the others.
    letter = None if right is None else LETTERS[texts.index(right)]
    return Subject(row.question, "question", letter, tuple(texts), source, row.licence)


def _gold_text(gold: Value) -> str | None:
    """Return a gold answer as text, None if there is none."""
    if isinstance(gold, float) and abs(gold) >= 2**53:
        raise ValueError(
            f"the gold answer {gold!r} is a number too large to be read exactly; write it as text"
        )
    text = "" if gold is None else str(gold).lower() if isinstance(gold, bool) else str(gold)
    return text.rpartition("####")[2].strip() or None


def _options(choices: list[Value] | dict[str, Value | list[Value]] | None) -> list[tuple[str, str]]:
    """Return (label, text) of each option in the file's order.

    A list has the labels A, B, C and so on.
    """
    if not choices:
        return []
    labels: object = list(LETTERS[: len(choices)])
    values: object = choices
    if isinstance(choices, dict):
        # Either from label to text, or two lists as in ARC.
        two_lists = choices.keys() == {"label", "text"}
        labels = choices["label"] if two_lists else list(choices)
        values = choices["text"] if two_lists else list(choices.values())
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
    pairs = zip(labels, values, strict=True)
    return [(str(label).strip(), str(value).strip()) for label, value in pairs]


def _gold_index(gold: Value, labels: list[str], texts: list[str]) -> int:
    """Return the place of the gold answer among the options, from 0."""
    # A column of whole numbers with a gap comes out of some tables as floats.
    word = str(int(gold) if isinstance(gold, float) and gold.is_integer() else gold).strip()
    label = labels.index(word) if word in labels else None
    text = texts.index(word) if word in texts else None
    # A number is never a text: 2 among the options "1", "2" and "3" is an index.
    if not isinstance(gold, str):
        text = None
    if label is not None and text is not None and texts[label] != texts[text]:
        raise ValueError(
            f"the gold answer {word!r} is the label of one option and the text of another;"
            " give its index, from 0"
        )
    if label is not None:
        return label
    if text is not None:
        return text
    if word.isascii() and word.isdecimal() and int(word) < len(texts):
        return int(word)
    raise ValueError(
        f"the gold answer {word[:80]!r} is neither a label ({', '.join(labels)})"
        " nor the text of an option, nor an index from 0"
    )
