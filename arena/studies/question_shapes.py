"""Find question, gold answer and options in a row, under the names that published files have.

    MMLU, MMLU-Pro       question, choices or options (a list), answer (an index or a letter)
    MMLU's CSV           no header: question, four options, a letter; or columns A to D
    GPQA, SciQ           Correct Answer and Incorrect Answer 1 to 3; distractor1 to 3
    AIME, MATH           problem (Problem, Question), answer or solution
    GSM8K                question, answer that ends in #### 18
    ARC, OpenBookQA      question (question_stem), choices {label, text}, answerKey
    CommonsenseQA        the same, or question {stem, choices: [{label, text}, ...]}
    TruthfulQA           Best Answer and Incorrect Answers (between ;), or mc1_targets
    BoolQ, StrategyQA    question, answer (true or false), with the passage before the question
    AQuA                 options with letters of their own, correct

Names are compared without regard to case, spaces and underscores.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

# For each part of a question, the columns to try in order; the first that a row has is used.
OUR_COLUMNS: dict[str, tuple[str, ...]] = {
    "question": (
        "question",
        "problem",
        "text",
        "question_stem",
        "prompt",
        "query",
        "input",
        "goal",
    ),
    "gold": (
        *("answer", "gold", "target", "answerkey", "answer_key", "correct_answer", "best_answer"),
        *("correct", "gold_answer", "final_answer", "expected_answer", "answers"),
        *("correct_option", "right_answer", "ground_truth", "solution"),
    ),
    "choices": ("choices", "options", "mc1_targets", "target_scores"),
    "context": ("passage", "context", "article", "story"),
    "passage": (),
    "published": ("published",),
    "images": ("images", "image"),
    "source": ("source",),
    "licence": ("licence", "license"),
}
WRONG_ANSWERS = ("incorrectanswers", "wronganswers", "distractors", "incorrectoptions")
# Columns of a single wrong answer, and of a single option.
WRONG_ANSWER = re.compile(r"(?:incorrect|wrong)(?:answer|option|choice)?[0-9]|distractor[0-9]")
OPTION = re.compile(
    r"(?:(?P<kind>option|choice|opt|op|ans|answer|sol|ending))?(?P<sign>[a-j]|[0-9])"
)
# Columns that nobody needs to answer a question; all other texts that are left over are said.
QUIET = (
    "id index idx no number url qid uid uniqueid questionid recordid subject category type level"
    " year difficulty split topic title src dataset task name lang language date version domain"
    " subdomain highleveldomain answerindex answeridx questiontype answertype problemtype license"
    " licence author canary canarystring subjectname topicname choicetype problemnumber part term"
    " description questionconcept subset incorrectanswers correctanswers bestincorrectanswer"
    " mc2targets mc0targets exp"
)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SIDE_BY_SIDE = re.compile(r"""(?:'[^']*'|"[^"]*")\s+(?:'|")""")
ARRAY = re.compile(r"array\((\[.*?\])(?:,\s*dtype=[^)]*)?\)", re.DOTALL)
LONGEST_LITERAL = 100_000

# For each part, the columns to try in order; none if there is no such part.
Columns = Mapping[str, tuple[str, ...]]


@dataclass(slots=True)
class RawQuestion:
    """The parts of a row as the file states them, and the columns that they come from.

    `first_is_right` says that the first option is the right one, so that there is no gold column.
    """

    question: object = None
    gold: object = None
    choices: object = None
    context: object = None
    passage: object = None
    published: object = None
    images: object = None
    source: object = None
    licence: object = None
    first_is_right: bool = False
    used: set[str] = field(default_factory=set)


def plain_name(name: object) -> str:
    """Return the name of a column without case, spaces, underscores and hyphens."""
    return re.sub(r"[\s_-]+", "", str(name).casefold())


def is_empty(value: object) -> bool:
    """Tell whether a cell is empty: nothing, a blank text, or a float that is not a number."""
    if isinstance(value, float) and math.isnan(value):
        return True
    return value is None or (isinstance(value, str) and not value.strip())


def find_parts(row: Mapping[str, object], columns: Columns) -> RawQuestion:
    """Return the parts of a row.  ValueError if a text that stands for a list cannot be read."""
    row = flat(row)
    found = RawQuestion()
    for part, names in columns.items():
        name = first_column(row, names)
        if name is not None:
            setattr(found, part, row[name])
            found.used.add(name)
    if isinstance(found.choices, str):
        found.choices = list_in_text(found.choices)
    if columns["choices"] == OUR_COLUMNS["choices"]:
        find_options(row, found, columns)
    check_index(row, found)
    return found


def check_index(row: Mapping[str, object], found: RawQuestion) -> None:
    """Raise ValueError if a letter as gold answer and the index beside it differ (MMLU-Pro)."""
    index = row.get("answer_index")
    letter = found.gold
    if not isinstance(index, int) or not isinstance(letter, str) or letter not in list(LETTERS):
        return
    if LETTERS.index(letter) != index:
        raise ValueError(
            f"the gold answer is {letter!r}, and `answer_index` is {index}, which is"
            f" {LETTERS[index : index + 1]!r}"
        )


def flat(row: Mapping[str, object]) -> Mapping[str, object]:
    """Return a row whose question is an object (CommonsenseQA, ARC) with its parts as columns."""
    inner = row.get("question")
    if not isinstance(inner, Mapping) or "stem" not in inner:
        return row
    others = {name: value for name, value in row.items() if name != "question"}
    return {"question": inner["stem"], "choices": inner.get("choices")} | others


def first_column(row: Mapping[str, object], names: Sequence[str]) -> str | None:
    """Return the first of these columns that has a value in a row, by its name in the row."""
    plain: dict[str, str] = {}
    for column in row:
        plain.setdefault(plain_name(column), column)
    blank: str | None = None
    for wanted in names:
        name = wanted if wanted in row else plain.get(plain_name(wanted))
        if name is None or row[name] is None:
            continue
        if not is_empty(row[name]):
            return name
        blank = blank or name
    return blank


def find_options(row: Mapping[str, object], found: RawQuestion, columns: Columns) -> None:
    """Add options that stand in columns of their own, or beside the right answer."""
    if isinstance(found.choices, Mapping) and ("labels" in found.choices or is_scores(found)):
        scored_options(found)
        return
    if found.choices is not None:
        return
    options = option_columns(row, found.used)
    if options and are_options(row, options, found.gold):
        found.choices = {label: row[name] for label, name in options.items()}
        found.used.update(options.values())
        return
    wrong = wrong_answers(row, found)
    if wrong and columns["gold"] == OUR_COLUMNS["gold"]:
        right = first_column(row, ("correct_answer", "best_answer", "answer", "right_answer"))
        if right is not None:
            found.choices = [row[right], *wrong]
            found.used.add(right)
            found.gold = None
            found.first_is_right = True


def is_scores(found: RawQuestion) -> bool:
    """Tell whether the options are a mapping from text to 0 or 1, with one right one."""
    choices = found.choices
    if not isinstance(choices, Mapping) or "text" in choices or len(choices) < 2:
        return False
    values = list(choices.values())
    return all(value in (0, 1) and not isinstance(value, str) for value in values)


def scored_options(found: RawQuestion) -> None:
    """Read options that come with 1 for the right and 0 for the others (mc1_targets)."""
    choices = found.choices
    assert isinstance(choices, Mapping)
    texts = choices["choices"] if "labels" in choices else list(choices)
    scores = choices["labels"] if "labels" in choices else list(choices.values())
    if not isinstance(texts, Sequence) or not isinstance(scores, Sequence):
        raise ValueError("`mc1_targets` must have the lists `choices` and `labels`")
    right = [text for text, score in zip(texts, scores, strict=True) if score]
    if len(right) != 1:
        raise ValueError(f"{len(right)} options are marked as right; one must be")
    found.choices = [*right, *(text for text in texts if text != right[0])]
    found.gold = None
    found.first_is_right = True


def option_columns(row: Mapping[str, object], used: set[str]) -> dict[str, str]:
    """Return the columns that hold one option each, by the option's label in order.

    Labels are letters; numbers only for option1, option2, where files name the right one so.
    """
    kinds: dict[str, dict[str, str]] = {}
    for name in row:
        match = OPTION.fullmatch(plain_name(name))
        if match is not None and name not in used:
            kinds.setdefault(match["kind"] or "", {})[match["sign"]] = name
    for kind, columns in kinds.items():
        signs = sorted(columns)
        first = signs[0]
        # A first, then B: an `e` alone is no option, and a gap is an option that is missing.
        if first not in "a01" or len(signs) < 2 or (not kind and first != "a"):
            continue
        wanted = [chr(ord(first) + place) for place in range(len(signs))]
        if signs != wanted:
            raise ValueError(f"the columns {', '.join(columns.values())} are options with a gap")
        while len(signs) > 2 and is_empty(row[columns[signs[-1]]]):
            signs.pop()  # some questions have fewer options than others
        numbered = first == "1" and kind not in ("sol", "ending")
        labels = signs if numbered else list(LETTERS[: len(signs)])
        return {label: columns[sign] for label, sign in zip(labels, signs, strict=True)}
    return {}


def are_options(row: Mapping[str, object], options: Mapping[str, str], gold: object) -> bool:
    """Tell columns of options from the numbers a and b of a sum.

    Columns named by one letter are options if the gold answer is one of their letters or texts, or
    if they are A, B, C and so on.
    """
    if any(len(name) > 1 for name in options.values()):
        return True
    texts = {str(row[name]).strip() for name in options.values()}
    if isinstance(gold, str) and (gold.strip().upper() in options or gold.strip() in texts):
        return True
    return len(options) > 2 and list(options) == list(options.values())


def wrong_answers(row: Mapping[str, object], found: RawQuestion) -> list[object]:
    """Return the wrong answers of a row: in columns of their own, or in one between semicolons."""
    wrong: list[object] = []
    for name, value in row.items():
        plain = plain_name(name)
        if WRONG_ANSWER.fullmatch(plain) and not is_empty(value):
            wrong.append(value)
            found.used.add(name)
        elif plain in WRONG_ANSWERS and not is_empty(value):
            texts = value.split(";") if isinstance(value, str) else value
            if isinstance(texts, Sequence):
                wrong += [text for text in texts if not is_empty(text)]
                found.used.add(name)
    return wrong


def list_in_text(text: str) -> object:
    """Return the list or mapping that a cell of a table holds as JSON or as Python writes it."""
    if not text.strip():
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    plain = ARRAY.sub(r"\1", text)
    # numpy leaves the commas out: Python would join 'a' 'b' into one option.
    if len(plain) > LONGEST_LITERAL or SIDE_BY_SIDE.search(plain):
        raise ValueError(unreadable_options(text))
    try:
        value: object = ast.literal_eval(plain)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(unreadable_options(text)) from error
    if isinstance(value, tuple):
        return list(value)
    return value


def unreadable_options(text: str) -> str:
    """Return what is wrong with a text in the place of options."""
    return (
        f"the options are the text {text[:60]!r}; give a JSON list such as"
        ' ["red", "blue"], or one column for each option'
    )


def left_over(row: Mapping[str, object], used: set[str]) -> set[str]:
    """Return the columns with text that no part of the question comes from."""
    return {
        str(name)
        for name, value in row.items()
        if name not in used and plain_name(name) not in QUIET.split() and has_text(value)
    }


def has_text(value: object) -> bool:
    """Tell whether a cell holds words, alone or in a list; numbers are no words."""
    if isinstance(value, list | tuple):
        return any(has_text(each) for each in value)
    return isinstance(value, str) and any(character.isalpha() for character in value)
