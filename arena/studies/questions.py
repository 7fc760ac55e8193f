"""Read questions with their gold answers, from a file or from the Hugging Face hub.

A file is JSON lines, JSON, a CSV, TSV or Parquet table, or plain text (one question a line, without
gold answers).  Published files load under their own names (arena/studies/question_shapes.py), with
options in an order of our own (options.py).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from arena.errors import QuestionsWarning, StudyError
from arena.grading.spelling import braced_text, unwrap
from arena.studies.image_columns import images_in
from arena.studies.material import is_material, material_questions
from arena.studies.options import (
    LETTERS,
    Label,
    gold_index,
    meaning_of_number,
    meaning_used,
    read_options,
    shuffle,
    text_of,
)
from arena.studies.question_shapes import (
    OUR_COLUMNS,
    Columns,
    RawQuestion,
    find_parts,
    is_empty,
    left_over,
    list_in_text,
)
from arena.studies.rows import read_rows
from arena.types import Subject

HUB = "hf:"
# A gold answer of more words is a worked solution, which no answer equals.
MOST_GOLD_WORDS = 12
# In MMLU's published table numbers are indices, also beside options that are numbers.
MMLU_COLUMNS = {"question", "subject", "choices", "answer"}
BOX = re.compile(r"\\(?:boxed|fbox)\s*(?=\{)")
EMPTY_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{[\s$]*\}(?!.*\\(?:boxed|fbox))", re.DOTALL)
MOST_NAMES = 8
LETTER = re.compile("[A-Ja-j]")


def questions(
    path: str | Path,
    *,
    question: str = "question",
    gold: str | None = "answer",
    choices: str | None = None,
    source: str | None = None,
    licence: str | None = None,
    context: str | None = None,
    passage: str | None = None,
    images: str | None = "images",
    seed: int | None = 0,
) -> tuple[Subject, ...]:
    """Read questions from a .jsonl, .json, .csv, .tsv, .parquet or .txt file, in its order.

    `path` may also name a data set of the hub: "hf:owner/name", "hf:owner/name@revision",
    "hf:owner/name:subset" or "hf:owner/name:subset:split" (see `hub_questions`).  "material" is the
    package's own questions, "material:sets?number=50&seed=3" some of one kind (see
    arena/studies/material).

    The keyword arguments name the columns.  By default they are found by the names of published
    files: the question in `question`, `problem` or `text`, the gold answer in `answer`, `gold`,
    `target`, `answerKey` or `solution`, the options in `choices` or `options` (a list, or a mapping
    from letter to text), in columns of their own (A to D, option_a) or beside the right answer
    (Incorrect Answer 1), a passage that stands before the question in `passage` or `context`, the
    paths of images, relative to the file, in `images` or `image` (`images=None`: none are read),
    and `source` (else the file's name) and `licence` in columns of these names, as is `published`,
    the day on which a question came out.  A `passage` is a column whose text does not stand before
    the question, and is shown only to the seats that a protocol shows it to.

    A gold answer is the text in the file ("025" keeps its zero); a number becomes text; of a worked
    solution only what follows `####` or stands in the last box counts, and one of more than 12
    words with neither is refused.  A list holds several right answers.  Every row needs one, unless
    nothing is to be graded: `gold=None`.

    For questions with options, `Subject.choices` holds their texts and `gold` the letter of the
    right one, "A" for the first.  Their order depends on `seed`, question and texts alone; only
    `seed=None` keeps the file's order, as do options that name others by letter, and "None of the
    above" stays last.  In the file, a whole number is an index from 0 unless it labels an option; a
    text is a label, else the text of an option, else an index.  Options may be identical.

    Columns with text that is not used are named in a QuestionsWarning.  Raises StudyError, with
    file and row, if there is no question, if a gold answer names no option or two or may be read in
    two ways, or if a named column is in no row.
    """
    if is_material(path):
        return material_questions(str(path))
    others = {"choices": choices, "source": source, "licence": licence, "context": context}
    others |= {"passage": passage}
    columns = _columns(question, gold, others, images)
    if str(path).startswith(HUB):
        dataset, subset, split = _hub_name(str(path).removeprefix(HUB))
        rows = _hub_rows(dataset, subset, split)
        return _subjects(rows, dataset, columns, dataset, seed)
    file = Path(path)
    return _subjects(read_rows(file, "questions"), str(file), columns, file.name, seed)


def hub_questions(
    dataset: str,
    *,
    split: str | None = "test",
    subset: str | None = None,
    question: str = "question",
    gold: str | None = "answer",
    choices: str | None = None,
    seed: int | None = 0,
) -> tuple[Subject, ...]:
    """Read questions from a data set of the Hugging Face hub, as `questions` reads a file.

    `dataset` is "owner/name" or "owner/name@revision", or a folder with the files of one; name a
    revision for results that reproduce.  With `split=None` it is "test", or the only one.  This is
    the only function here that uses the network.  `source` is the data set's name.  Raises
    StudyError if the package `datasets` is not installed, or if there is no such data set, subset
    or split.
    """
    columns = _columns(question, gold, {"choices": choices})
    return _subjects(_hub_rows(dataset, subset, split), dataset, columns, dataset, seed)


def _hub_name(name: str) -> tuple[str, str | None, str | None]:
    """Return data set, subset and split of "owner/name:subset:split"."""
    parts = name.split(":")
    if not parts[0] or len(parts) > 3:
        raise StudyError(
            f"{HUB}{name} names no data set; write {HUB}owner/name, {HUB}owner/name:subset or"
            f" {HUB}owner/name:subset:split"
        )
    dataset, subset, split = [*parts, "", ""][:3]
    return dataset, subset or None, split or None


def _hub_rows(dataset: str, subset: str | None, split: str | None) -> list[object]:
    """Return the rows of a split of a data set, "test" or the only one by default."""
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise StudyError(
            f"reading {dataset} from the hub needs the package datasets:"
            " pip install 'peer-arena[hub]'"
        ) from error
    # A folder's name may hold an @.
    name, _, revision = (dataset, "", "") if Path(dataset).is_dir() else dataset.partition("@")
    wanted = f"the split {split!r} of {dataset}" if split else dataset
    try:
        loaded = load_dataset(name, subset, split=split, revision=revision or None)
    except (OSError, ValueError) as error:
        words = (str(error) or type(error).__name__).splitlines()[0]
        raise StudyError(f"cannot read {wanted} from the hub: {words}") from error
    if split is None and isinstance(loaded, Mapping):
        split = "test" if "test" in loaded else next(iter(loaded)) if len(loaded) == 1 else None
        if split is None:
            raise StudyError(
                f"{dataset} has the splits {', '.join(loaded)}; name one:"
                f" {HUB}{dataset}:{subset or ''}:{next(iter(loaded), '')}"
            )
        loaded = loaded[split]
    rows: list[object] = list(loaded)
    if not rows:
        raise StudyError(f"the split {split!r} of {dataset} has no questions")
    return rows


def _columns(
    question: str, gold: str | None, others: Mapping[str, str | None], images: str | None = "images"
) -> Columns:
    """Return the columns to try: our own if the caller left the defaults, else the caller's."""
    columns = OUR_COLUMNS | {part: (name,) for part, name in others.items() if name}
    if question != "question":
        columns["question"] = (question,)
    if gold != "answer":
        columns["gold"] = () if gold is None else (gold,)
    if images != "images":
        columns["images"] = () if images is None else (images,)
    return columns


def _subjects(
    rows: Iterable[object], place: str, columns: Columns, source: str, seed: int | None
) -> tuple[Subject, ...]:
    """Check the rows of a file or data set one after another, and return their questions."""
    raw: list[tuple[str, RawQuestion, list[Label]]] = []
    fields: set[str] = set()
    unused: set[str] = set()
    # Of a data set of the hub there is no such file; its images are bytes.
    folder = Path(place).parent
    for number, row in enumerate(rows, 1):
        where = f"{place}, row {number}"
        if not isinstance(row, Mapping):
            raise StudyError(
                f"{where}: a row is an object with a field `{columns['question'][0]}`,"
                f" not {type(row).__name__}"
            )
        fields.update(map(str, row))
        try:
            found = find_parts(row, columns)
            if found.question is None:
                raise ValueError(
                    f"no question in the field {_alternatives(columns['question'])};"
                    f" there are {_names(row)}"
                )
            raw.append((where, found, read_options(found.choices)))
        except ValueError as error:
            raise StudyError(f"{where}: {error}") from error
        unused |= left_over(row, found.used)
        if columns["gold"] and is_empty(found.gold) and not found.first_is_right:
            raise StudyError(
                f"{where}: no answer in the field {_alternatives(columns['gold'])}; there are"
                f" {_names(row)} (gold=None: nothing is to be graded)"
            )
    _check_named(columns, fields, place)
    # One row whose number can only be an index tells what the numbers of the file are.
    meanings = {meaning_of_number(found.gold, options) for _, found, options in raw} - {None}
    if not meanings and fields >= MMLU_COLUMNS:
        meanings = {"index"}
    numbers = meanings.pop() if len(meanings) == 1 else None
    _check_meaning(raw, numbers)
    some_options = any(options for _, _, options in raw)
    subjects = []
    for where, found, options in raw:
        try:
            if not options and some_options and LETTER.fullmatch(str(found.gold).strip()):
                raise ValueError(
                    f"the gold answer is the letter {found.gold!r}, and this question has no"
                    " options, as others have"
                )
            subject = _subject(found, options, source, seed, numbers)
            subjects.append(_with_extras(subject, found, folder))
        except (ValueError, StudyError) as error:
            raise StudyError(f"{where}: {error}") from error
    if unused:
        warnings.warn(
            f"{place}: not used: the text in {_names(sorted(unused))}; if a question needs it, name"
            " its column (question=, answer=, context=)",
            QuestionsWarning,
            stacklevel=3,
        )
    return tuple(subjects)


def _check_meaning(
    raw: Sequence[tuple[str, RawQuestion, list[Label]]], numbers: str | None
) -> None:
    """Raise StudyError if numbers as gold answers have two meanings in one file."""
    first: dict[str, tuple[str, object]] = {}
    for where, found, options in raw:
        used = meaning_used(found.gold, options, numbers)
        if used is not None:
            first.setdefault(used, (where, found.gold))
    if len(first) > 1:
        (one, (_, gold)), (other, (where, second)) = list(first.items())[:2]
        raise StudyError(
            f"{where}: the gold answer {second!r} is read as the {other} of an option, and"
            f" {gold!r} of a row before as the {one}; give the letters of the options"
        )


def _check_named(columns: Columns, fields: set[str], place: str) -> None:
    """Raise StudyError for a column that the caller named and no row has: a typing error.

    Our own names need not be there.
    """
    for part, names in columns.items():
        if names and names != OUR_COLUMNS[part] and not fields & set(names):
            raise StudyError(
                f"{place}: no row has the column {names[0]!r} that you named;"
                f" there are {', '.join(sorted(fields))}"
            )


def _alternatives(names: Sequence[str]) -> str:
    """Return the first names of columns as words of a sentence."""
    return " or ".join(f"`{name}`" for name in names[:3])


def _names(names: Iterable[object]) -> str:
    """Return names of columns, of many the first ones."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - MOST_NAMES} more" if len(texts) > MOST_NAMES else ""
    return ", ".join(texts[:MOST_NAMES]) + more


def _subject(
    found: RawQuestion,
    options: list[Label],
    source: str,
    seed: int | None,
    numbers: str | None,
) -> Subject:
    """Return the question of a row, or raise ValueError if options and gold answer do not fit."""
    text = _text(found.question, "question")
    # What is hidden as a passage must not stand before the question as well.
    hidden = is_empty(found.context) or found.context == found.passage
    context = None if hidden else _text(found.context, "context")
    text = f"{context}\n\n{text}" if context else text
    source = source if is_empty(found.source) else _text(found.source, "source")
    # A blank cell is a licence of no words: so it stands in the ids of version 0.1.0.
    licence = "" if is_blank(found.licence) else None
    if not is_empty(found.licence):
        licence = _text(found.licence, "licence")
    golds = _golds(found.gold)
    if not options:
        first, *others = [_gold_text(gold) for gold in golds] or [None]
        accepted = tuple(other for other in others if other is not None and other != first)
        return Subject(text, "question", first, (), source, licence, accepted)
    if len(golds) > 1:
        raise ValueError(f"{len(golds)} gold answers; a question with options has one")
    texts = [option for _, option in options]
    if found.first_is_right:
        right = texts[0]
    elif not golds:
        right = None
    else:
        right = texts[gold_index(golds[0], options, numbers)]
    shown = shuffle(text, options, seed)
    # Of identical options the first one is as right as the others.
    letter = None if right is None else LETTERS[shown.index(right)]
    return Subject(text, "question", letter, tuple(shown), source, licence)


def _with_extras(subject: Subject, found: RawQuestion, folder: Path) -> Subject:
    """Return a question with the images, the passage and the day of its row, where it has any.

    Raises ValueError or StudyError if one of them cannot be read.
    """
    images = images_in(found.images, folder)
    passage = "" if is_empty(found.passage) else _text(found.passage, "passage")
    day = None if is_empty(found.published) else _text(found.published, "published")
    if not (images or passage or day):
        return subject
    return replace(subject, images=images, passage=passage, published=day)


def is_blank(value: object) -> bool:
    """Tell whether a cell holds a text without words."""
    return isinstance(value, str) and not value.strip()


def _text(value: object, part: str) -> str:
    """Return a text of a row, or raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"a valid string was expected, found {str(value)[:80]!r} as `{part}`")
    text = str(value).strip()
    if not text:
        raise ValueError(f"a text of at least 1 character was expected as `{part}`")
    return text


def _golds(gold: object) -> list[str | bool | int | float]:
    """Return the gold answers of a row: one, several in a list, or none."""
    if isinstance(gold, Mapping):
        # TriviaQA has {"value": ..., "aliases": [...]}, SQuAD {"text": [...]}.
        if "value" in gold and isinstance(gold.get("aliases"), Sequence):
            gold = [gold["value"], *gold["aliases"]]
        elif isinstance(gold.get("text"), Sequence):
            gold = gold["text"]
    elif isinstance(gold, str) and gold.lstrip().startswith(('["', "['")):
        gold = list_in_text(gold)
    values = list(gold) if isinstance(gold, list | tuple) else [gold]
    found: list[str | bool | int | float] = []
    for value in values:
        if is_empty(value):
            continue
        if not isinstance(value, str | bool | int | float):
            raise ValueError(
                f"a valid text or number was expected, found {str(value)[:80]!r} as `gold`"
            )
        if isinstance(value, str):
            value = value.strip()
        if value not in found or isinstance(value, bool):
            found.append(value)
    return found


def _gold_text(gold: str | bool | int | float) -> str | None:
    """Return a gold answer as text; of a worked solution only its answer."""
    if isinstance(gold, bool):
        return str(gold).lower()
    if isinstance(gold, int | float):
        if abs(gold) >= 2**53 and (isinstance(gold, float) or gold.bit_length() > 64):
            raise ValueError(
                f"the gold answer {gold!r} is a number too large to be read exactly; write it as"
                " text"
            )
        return text_of(gold)
    if "####" in gold:
        answer = gold.rpartition("####")[2].strip()
        if not answer:
            raise ValueError(f"nothing follows #### in the gold answer {gold[-60:]!r}")
        return answer
    if EMPTY_BOX.search(gold):
        raise ValueError(f"the last box of the gold answer {gold[-60:]!r} is empty")
    boxed = last_box(gold)
    if boxed is not None:
        return boxed
    count = len(gold.split())
    if count > MOST_GOLD_WORDS:
        raise ValueError(
            f"the gold answer is a text of {count} words without a \\boxed{{}} or ####, which no"
            f" answer can equal: {gold[:60]!r}...; name the column with the answer alone (answer=)"
        )
    return gold


def last_box(solution: str) -> str | None:
    r"""Return what stands in the last \boxed{} of a worked solution; None if it is no more."""
    boxes = [match.end() for match in BOX.finditer(solution)]
    if not boxes:
        return None
    depth = 0
    for place in range(boxes[-1], len(solution)):
        if solution[place - 1 : place] == "\\":
            continue
        depth += {"{": 1, "}": -1}.get(solution[place], 0)
        if depth == 0:
            inside = solution[boxes[-1] + 1 : place].strip()
            # An answer in a box of its own stays as it is, with its id.
            alone = unwrap(solution) == unwrap(inside)
            return None if alone or not inside else inside
    return braced_text(solution, boxes[-1])
