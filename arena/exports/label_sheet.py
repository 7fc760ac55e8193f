"""Write a sheet of debates or answers for people to label, drawn at random.

Whoever labels sees texts and no names of models, no ratings and no verdicts; which side's speech of
a round comes first is drawn, unless they spoke in turn.  The order of the rows is random too, and
hangs on the seed and the ids alone, so that the first rows of a sheet are themselves a random
sample, and a longer sheet adds to a shorter one.
"""

from __future__ import annotations

import csv
import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection as Connection

from analysis.read.selection import ALL, Selection, open_selected
from arena.errors import StoreError, StudyError
from arena.exports.formats import ExportOptions
from arena.text import without_formula

COLUMNS = ("item", "question", "rater", "value", "note", "probability", "drawn", "asked", "text")
VIEWS = ("debates", "question_plays", "latest_turns", "agents")
# Raters are told of the images that a model was shown with a motion or question.
ASKED = """
    m.text || coalesce(' [shown with ' || array_to_string(list_transform(
        m.images, lambda image: 'image ' || image[:12]), ', ') || ': see arena view]', '')
"""
DEBATES = f"""
    select d.episode, {ASKED}, d.sequential from debates d
    left join subjects m on m.subject = d.subject where d.study = $1
"""
ANSWERS = f"""
    select q.episode, {ASKED}, m.choices, q.answer from question_plays q
    left join subjects m on m.subject = q.subject where q.study = $1 and q.answer is not null
"""
SPEECHES = """
    select t.episode, t.round, t.phase, t.seat, t.public from latest_turns t
    where t.episode in (select unnest($1)) and t.seat in ('proposition', 'opposition')
    order by t.episode, t.round, t.step, t.seat desc
"""
NAMES = "select distinct unnest([agent, model]) from agents where study = $1"
# A name of fewer letters, or of letters alone, may be a word of the speech.
LEAST_LETTERS = 5
MASK = "[a debater]"
SOMEBODY = "[a model]"
HIDDEN = "(no public text)"
VALUES = {"winner": "proposition, opposition or tie", "correct": "right or wrong"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was drawn: `drawn` of `of` debates or answers, and the values that a label may have."""

    drawn: int
    of: int
    what: str
    values: str


def write_label_sheet(
    path: Path,
    file: Path,
    study: str,
    *,
    items: int = 100,
    question: str = "",
    seed: int = 0,
    selection: Selection = ALL,
) -> Sheet:
    """Write a new CSV file with so many of a study's finished debates, or answers, to label.

    `question` is what is asked: winner (the default of debates), correct (of answers), or a word of
    one's own.  Raises StudyError if the study has nothing to label, and StoreError if the file
    exists or cannot be written.
    """
    if items < 1:
        raise StudyError(f"a sheet has at least one item, found {items}")
    with open_selected(path, selection, VIEWS) as (con, _):
        debates = con.execute(DEBATES, [study]).fetchall() if question != "correct" else []
        found = debates or con.execute(ANSWERS, [study]).fetchall()
        if not found:
            raise StudyError(f"{path} holds no finished debate or answer of a study {study!r}")
        drawn = sorted(found, key=lambda row: place(seed, row[0]))[:items]
        names = [name for (name,) in con.execute(NAMES, [study]).fetchall() if name]
        hide = masker(names)
        texts = debate_texts(con, drawn, seed, hide) if debates else answer_texts(drawn, hide)
    asked = question or ("winner" if debates else "correct")
    rows = [
        (row[0], asked, "", "", "", f"{len(drawn) / len(found):.6g}", len(drawn), row[1], text)
        for row, text in zip(drawn, texts, strict=True)
    ]
    write_rows(file, rows)
    values = VALUES.get(asked, f"words of your own on {asked!r}")
    return Sheet(len(drawn), len(found), "debates" if debates else "answers", values)


def write_export(path: Path, folder: Path, options: ExportOptions) -> list[str]:
    """Write labels.csv in a folder, and say how to go on.  Raises StudyError without one study."""
    if len(options.studies) != 1:
        raise StudyError("--format label-sheet needs --study: a sheet is drawn from one study")
    file = folder / "labels.csv"
    sheet = write_label_sheet(
        path,
        file,
        options.studies[0],
        items=100 if options.items is None else options.items,
        question=options.question,
        seed=options.seed or 0,
        selection=options.selection,
    )
    again = f"arena import labels {file} --db {shlex.quote(str(path))}"
    return [
        f"{file}: {sheet.drawn} of {sheet.of} {sheet.what}, drawn at random",
        f"fill in rater and value ({sheet.values}), then: {again}",
    ]


def place(seed: int, name: str) -> bytes:
    """Return a random key of an item, the same for the same seed."""
    return hashlib.sha256(f"{seed} {name}".encode()).digest()


def debate_texts(
    con: Connection, drawn: Sequence[tuple[Any, ...]], seed: int, hide: re.Pattern[str]
) -> list[str]:
    """Return the speeches of each debate by round; which side comes first in one is drawn."""
    ids = [row[0] for row in drawn]
    speeches = con.execute(SPEECHES, [ids]).fetchall()
    by_debate = {name: list(rows) for name, rows in groupby(speeches, key=lambda row: row[0])}
    texts = []
    for episode, _, in_turn in drawn:
        parts = []
        for number, rows in groupby(by_debate.get(episode, []), key=lambda row: row[1]):
            said = list(rows)
            # What was said in turn answers what came before, and is read so.
            if not in_turn and place(seed, f"{episode} {number}")[0] % 2:
                said.reverse()
            parts += [
                f"{phase} of the {seat}:\n{hide.sub(MASK, public or HIDDEN)}"
                for _, _, phase, seat, public in said
            ]
        texts.append("\n\n".join(parts))
    return texts


def masker(names: Sequence[str]) -> re.Pattern[str]:
    """Return a pattern that finds names of models in what they say, in any case."""
    known = {part for name in names for part in (name, name.rpartition("/")[2])}
    telling = sorted(
        (name for name in known if len(name) >= LEAST_LETTERS and not name.isalpha()), key=len
    )
    words = "|".join(re.escape(name) for name in reversed(telling))
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)" if words else r"(?!)", re.I)


def answer_texts(drawn: Sequence[tuple[Any, ...]], hide: re.Pattern[str]) -> list[str]:
    """Return the options and the answer of each play."""
    texts = []
    for _, _, choices, answer in drawn:
        options = [f"{chr(65 + number)}. {choice}" for number, choice in enumerate(choices or ())]
        texts.append("\n".join([*options, f"Answer: {hide.sub(SOMEBODY, answer)}"]))
    return texts


def write_rows(file: Path, rows: Sequence[Sequence[object]]) -> None:
    """Write a new file.  A sheet is made for spreadsheets, so that no text of it is a formula."""
    safe = [tuple(map(without_formula, row)) for row in rows]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Mode x: a sheet that somebody has filled in is never overwritten.
        with file.open("x", newline="", encoding="utf-8") as out:
            csv.writer(out, lineterminator="\n").writerows([COLUMNS, *safe])
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror}; name another folder") from error
