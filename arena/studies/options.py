"""Read the options of a question and its gold answer, and give the options an order of our own.

The published file of GPQA has all 198 right answers at "A", so that anyone who prefers the first
option seems to know them.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Mapping, Sequence
from decimal import Decimal

from arena.grading.grade import BOOLEANS
from arena.grading.spelling import unwrap, words
from arena.studies.question_shapes import is_empty

LETTERS = string.ascii_uppercase
# An option that begins with a letter of its own: "A)60 km/h", "(B) gold", "C. 12".
OWN_LETTER = re.compile(r"[(\[]?([A-Za-z])\s*[).:\]]\s*(?=\S)")
# Options that speak of the others: "All of the above" stays last.
ANCHOR = re.compile(
    r"\b(?:all|none|any|both|neither|more than one|not any)\s+of\s+(?:the\s+)?"
    r"(?:above|these|those|preceding|others?|options|choices|answers|foregoing|given|listed)\b"
    r"|\b(?:all|none|both)\s+(?:the\s+)?above\b|\A\W*the above\b",
    re.IGNORECASE,
)
# Words of an option that names others by their letters: "Both A and B are correct".
REFERENCE_WORDS = (
    "both either neither nor only options option choices choice answers answer and or the are is"
    " but not correct true wrong false right incorrect of & +"
)
Label = tuple[str, str]


def read_options(choices: object) -> list[Label]:
    """Return (label, text) of each option in the file's order; ValueError if it is none.

    `choices` is a list of texts or of objects with `label` and `text`, or a mapping from label to
    text, or one of the two lists `label` and `text` (ARC).  A list has the labels A, B, C and so
    on.
    """
    if not choices:
        return []
    labels: object = None
    values: object = choices
    if isinstance(choices, Mapping):
        two_lists = {"label", "text"} <= choices.keys()
        labels = choices["label"] if two_lists else list(choices)
        values = choices["text"] if two_lists else list(choices.values())
    elif isinstance(choices, Sequence) and all(
        isinstance(each, Mapping) and "text" in each for each in choices
    ):
        values = [each["text"] for each in choices]
        if all("label" in each for each in choices):
            labels = [each["label"] for each in choices]
    if labels is None and isinstance(values, Sequence):
        labels = list(LETTERS[: len(values)])
    if (
        not isinstance(labels, list)
        or not isinstance(values, list)
        or len(labels) != len(values)
        or not 2 <= len(values) <= len(LETTERS)
    ):
        raise ValueError(
            f"options must be a list or a mapping from letter to text, of 2 to {len(LETTERS)}"
        )
    if any(is_empty(value) or isinstance(value, list | Mapping) for value in values):
        raise ValueError("an option has no text")
    pairs = [(text_of(label), text_of(value)) for label, value in zip(labels, values, strict=True)]
    return without_own_letters(pairs)


def text_of(value: object) -> str:
    """Return a value of a file as text: numbers as they are written, never as 1e-05."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and "e" in repr(value):
        return format(Decimal(repr(value)), "f")
    return str(value).strip()


def without_own_letters(options: list[Label]) -> list[Label]:
    """Take the letters off options that all begin with their own: "A)60 km/h" is "60 km/h"."""
    found = [OWN_LETTER.match(text) for _, text in options]
    letters = [match[1].upper() for match in found if match is not None]
    if letters != list(LETTERS[: len(options)]):
        labels = [label.upper() for label, _ in options]
        if sorted(letters) == sorted(labels) and letters != labels:
            raise ValueError(
                f"the options begin with the letters {', '.join(letters)}, and stand in the places"
                f" {', '.join(labels)}; leave the letters out, or put the options in their order"
            )
        return options
    return [
        (label, text[match.end() :].strip())
        for (label, text), match in zip(options, found, strict=True)
        if match is not None
    ]


def gold_index(gold: object, options: Sequence[Label], numbers: str | None = None) -> int:
    """Return the place of the gold answer among the options, from 0; ValueError if it names none.

    A text is a label, else the text of an option, else an index from 0.  A number is an index from
    0 unless it labels an option or can only be an option's value; where it can be both, `numbers`
    decides, which says what numbers are in the rest of the file ("index" or "value").
    """
    labels = [label for label, _ in options]
    texts = [text for _, text in options]
    word = str(int(gold) if isinstance(gold, float) and gold.is_integer() else gold).strip()
    if isinstance(gold, bool):
        return boolean_index(gold, texts)
    label = labels.index(word) if word in labels else None
    text = texts.index(word) if word in texts else None
    if isinstance(gold, int | float):
        if label is not None:
            return label
        index = int(gold) if float(gold).is_integer() and 0 <= gold < len(texts) else None
        if index is not None and text is not None and texts[index] != texts[text]:
            if numbers is None:
                raise ValueError(
                    f"the gold answer {word} may be the index of {texts[index]!r}, from 0, or the"
                    f" value {word}; give the letter of the option"
                )
            return index if numbers == "index" else text
        if index is None and text is None:
            raise no_option(word, labels)
        return index if index is not None else text if text is not None else 0
    if label is None and text is None:
        return other_spelling(word, labels, texts)
    if label is not None and text is not None and texts[label] != texts[text]:
        raise ValueError(
            f"the gold answer {word!r} is the label of one option and the text of another;"
            " give its index, from 0"
        )
    return label if label is not None else text if text is not None else 0


def meaning_of_number(gold: object, options: Sequence[Label]) -> str | None:
    """Return "index" or "value" if a number as gold answer can only be one of them."""
    if isinstance(gold, bool) or not isinstance(gold, int | float):
        return None
    word = str(int(gold) if float(gold).is_integer() else gold)
    if word in [label for label, _ in options]:
        return None
    is_index = float(gold).is_integer() and 0 <= gold < len(options)
    is_value = word in [text for _, text in options]
    if is_index == is_value:
        return None
    return "index" if is_index else "value"


def meaning_used(gold: object, options: Sequence[Label], numbers: str | None) -> str | None:
    """Return as what `gold_index` reads a whole number: "label", "value" or "index".

    None for other gold answers, and where each meaning leads to the same option.
    """
    word = str(int(gold) if isinstance(gold, float) and gold.is_integer() else gold).strip()
    if isinstance(gold, bool) or not (word.isascii() and word.isdecimal()):
        return None
    options_by_meaning = {
        "label": next((text for label, text in options if label == word), None),
        "value": next((text for _, text in options if words(text) == word), None),
        "index": options[int(word)][1] if int(word) < len(options) else None,
    }
    meanings = {meaning: text for meaning, text in options_by_meaning.items() if text is not None}
    if len(meanings) > 1 and len(set(meanings.values())) == 1:
        return None
    if "label" not in meanings and not isinstance(gold, str) and numbers in meanings:
        return numbers
    return next(iter(meanings), None)


def boolean_index(gold: bool, texts: Sequence[str]) -> int:
    """Return the place of true or false among options such as Yes and No."""
    truth = "true" if gold else "false"
    places = [place for place, text in enumerate(texts) if BOOLEANS.get(words(text)) == truth]
    if len(places) != 1:
        raise ValueError(f"the gold answer {truth} is the meaning of {len(places)} options")
    return places[0]


def other_spelling(word: str, labels: Sequence[str], texts: Sequence[str]) -> int:
    """Return the place of a gold answer such as "b", "(B)", "B) gold" or "Gold."."""
    letter = re.fullmatch(r"\(?\s*([A-Za-z0-9])\s*[).:]*", word)
    folded = [label.casefold() for label in labels]
    if letter is not None and letter[1].casefold() in folded:
        return folded.index(letter[1].casefold())
    own = OWN_LETTER.match(word)
    if own is not None and own[1].casefold() in folded:
        place = folded.index(own[1].casefold())
        if words(texts[place]) == words(word[own.end() :]):
            return place
    alike = [
        place for place, text in enumerate(texts) if words(unwrap(text)) == words(unwrap(word))
    ]
    if alike and len({texts[place] for place in alike}) == 1:
        return alike[0]
    if word.isascii() and word.isdecimal() and int(word) < len(texts):
        return int(word)
    raise no_option(word, labels)


def no_option(word: str, labels: Sequence[str]) -> ValueError:
    """Return the error for a gold answer that names no option."""
    return ValueError(
        f"the gold answer {word[:80]!r} is neither a label ({', '.join(labels)})"
        " nor the text of an option, nor an index from 0"
    )


def shuffle(question: str, options: Sequence[Label], seed: int | None) -> list[str]:
    """Return the texts of the options in the order in which they are shown.

    The order depends on seed, question and texts alone.  Options that name others by letter keep
    the file's order, and "None of the above" stays last.
    """
    texts = [text for _, text in options]
    labels = {label.casefold() for label, _ in options}
    if seed is None or any(refers_to_letters(text, labels) for text in texts):
        return texts
    anchors = [text for text in texts if ANCHOR.search(text)]
    others = [text for text in texts if not ANCHOR.search(text)]
    # Sorted by a hash of question and text: the order hangs on no other row and on no order.
    prefix = f"{seed}\0{question}\0"
    others.sort(key=lambda text: hashlib.sha256((prefix + text).encode()).digest())
    return others + anchors


def refers_to_letters(text: str, labels: set[str]) -> bool:
    """Tell whether an option speaks of others by their labels: "Both A and B", "(a) and (c)"."""
    plain = re.sub(r"[().,;:'\"/]", " ", text.casefold()).split()
    named = [word for word in plain if word in labels and (len(word) == 1)]
    others = [word for word in plain if word not in labels]
    # "a" is a letter and an article: "Not a bird" has other words beside it.
    if not named or not set(others) <= set(REFERENCE_WORDS.split()):
        return False
    return bool(others) or len(named) > 1
