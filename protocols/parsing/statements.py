"""Find the answer that a reply to an open question states without a box.

A label or a sentence that states it ("Answer: 73", "#### 73", `{"answer": 73}`, "The answer is
73.", "Therefore, the sum is 73."), else a last line that is nothing but the value.  Nothing is
taken out of prose that states no answer, and of two values in one statement neither is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from arena.grading.number_words import spelt_number
from arena.play.reasoning import matches
from protocols.parsing.forms import as_mapping, json_at_end, json_object
from protocols.parsing.own_statements import is_own

# The word for an answer, and the verb after it, in languages that models answer in.
ANSWER = (
    r"(?:answer|antwort|ergebnis|réponse|respuesta|risposta|resposta|antwoord|svar|odpowiedź|ответ"
    r"|відповідь|答案|答え|정답)"
)
# Words that may stand over a whole solution as well, so that only a number after them is an answer.
RESULT = r"(?:result|solution|lösung|résultat|resultado|total|sum)"
VERB = (
    r"(?:\b(?:is|was|are|equals|would\sbe|should\sbe|must\sbe|comes\s(?:out\s)?to|ist|lautet"
    r"|beträgt|est"
    r"|es|è|é|är|это)\b|是|は|为|은|는|=)(?:\s(?:therefore|thus|then|simply|indeed|hence|also)\b)?"
)
KEYS = (
    "answer",
    "final answer",
    "finalanswer",
    "result",
    "solution",
    "choice",
    "option",
    "letter",
    "final",
)
LABEL = re.compile(
    r"^[ \t#*_`\-•\"'({]{0,9}(?:the\s|my\s|so\s|die\s|la\s)?(?:final\s|correct\s|numerical\s)?"
    rf"(?:{ANSWER}|ans(?=\s?[:：=])|(?P<result>{RESULT}))(?:\s(?:choice|option|letter))?"
    r"[*_`\"' \t]{0,6}"
    r"(?P<sign>[:：=→]|[-–—](?=\s[*_$\s]{0,4}[\d\\]))?[*_` \t]{0,6}(?P<value>[^\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
HASHES = re.compile(r"^[ \t]{0,9}####[ \t]{1,9}(?P<value>[^\n]{1,1100})", re.MULTILINE)
TAG = re.compile(
    r"(?:<\s?(?:final[_ -]?)?answer\s?>|\[(?:final[_ -]?)?answer\]|<\|begin_of_box\|>)"
    r"(?P<value>(?:(?!\[/|\[(?:final[_ -]?)?answer\])[^<>]){0,1100}+)"
    r"(?:<\s?/\s?(?:final[_ -]?)?answer\s?>|\[/(?:final[_ -]?)?answer\]|<\|end_of_box\|>|\Z)",
    re.IGNORECASE,
)
SENTENCE = re.compile(
    rf"(?:\b(?:{ANSWER}|{RESULT})|答案|答え|정답)(?:\s(?:to|of|for|here|in)\b[^.\n]{{0,80}}?"
    rf"|\schoice|\soption)?"
    rf"\s{{0,3}}{VERB}\s{{0,3}}[:：]?",
    re.IGNORECASE,
)
# A last sentence that concludes: its value is a number, since any noun may stand before the verb.
CONCLUSION = re.compile(
    r"^[^\n]{0,200}?\b(?:therefore|thus|hence|so|altogether|in\stotal|finally|consequently"
    r"|overall|we"
    r"\s(?:get|find|have|obtain)|this\sgives|which\sgives|total|sum|number\sof"
    r"|amount|value|product|probability|area|it(?=\sequals)|that(?=\s(?:makes|gives)))\b"
    r"[^\n]{0,200}"
    r"(?:\b(?:is|are|equals|be|gives|get|obtain|has|have|makes)\s|[=:]\s?)(?P<value>[^\n]*)\Z",
    re.IGNORECASE,
)
NUMBER = (
    r"[-−–+]?\s?[$€£¥]?\s?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:\s?/\s?\d[\d,]*)?(?:\s?%|[eE][+-]?\d+)?"
)
UNIT = r"(?:\s?(?:[°€£¥$]|[A-Za-z²³°][A-Za-z²³°/^\d]{0,20})){0,3}"
NUMERIC = re.compile(rf"(?P<number>{NUMBER})(?P<unit>{UNIT})", re.IGNORECASE)
# Two values, a bound, a denial, or words that keep an answer open.
HEDGE = re.compile(
    r"\b(?:or|either|neither|nor|not|n[o']t|between|maybe|perhaps|possibly|probably|unclear|unknown"
    r"|cannot|can't|undetermined|at\sleast|at\smost|more\sthan|less\sthan|approximately\sbetween"
    r"|oder|ou|und|and)\b",
    re.IGNORECASE,
)
SECOND_VALUE = re.compile(
    r"\b(?:or|maybe|perhaps|possibly|and|oder|ou)\b[^.\n]{0,30}\d", re.IGNORECASE
)
# Words that say that there is no value, also in capitals.
NOTHING = re.compile(r"(?:n/a|nan|unsure)\W{0,3}", re.IGNORECASE)
# How sentences begin that are no answers.
NO_ANSWER = re.compile(
    r"(?:i|we|you|first|let|see|to|this|it|there|here|that|your|the\sletter|none\sfound|n/?a|unsure"
    r"|null|undefined|nan)\b",
    re.IGNORECASE,
)
WRAPPED = re.compile(r"\\(?:math(?:bf|rm|it|sf|tt)|text(?:bf|rm|it)?|boldsymbol|bm)\s?\{([^{}]*)\}")
# Mathematics: signs, digits, commands of LaTeX and names of one or two letters.
FORMULA = re.compile(
    r"[\\\d(\[{√π∞-](?:[^A-Za-z\n]|(?<=\\)[A-Za-z]+|(?<![A-Za-z])[A-Za-z]{1,2}(?![A-Za-z]))*"
)
COPULA = re.compile(r"\s?(?:です|である|입니다|이다|だ)[。.]?\Z")
LONGEST_WORDS = 100
MAX_CHARACTERS = 1000
MARKUP = " \t\r\n*_`~>\"'“”‘’"
PAIRS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("(", ")"))


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of an answer that ends at `end`; the value is None if it names two, or none."""

    end: int
    value: str | None


def stated_answer(text: str) -> str | None:
    """Return the answer that a label or a sentence states last, or that the last line is.

    None without one, and where the last statement leaves it open.
    """
    said = last_statement(text) or line_statement(text)
    return None if said is None else said.value


def line_statement(text: str, options: Sequence[str] = ()) -> Statement | None:
    """Return the last line as a statement if it is nothing but a value, or an option's text."""
    # The end of a block of code is no line of its own.
    text = text.rstrip().removesuffix("```").rstrip()
    lines = text.split("\n")
    known = frozenset(map(plain_option, options))
    # "B) blue" is the option, and so is "blue"; of a list of options none is chosen.
    chosen = {plain_option(line) for line in lines if len(line) < MAX_CHARACTERS} & known
    if chosen and plain_option(lines[-1]) in known:
        return Statement(len(text), bare(lines[-1]) if len(chosen) == 1 else None)
    value = value_alone(lines[-1], is_whole=lines[-1] == text.lstrip("`\n "))
    return None if value is None else Statement(len(text), value)


def plain_option(words: str) -> str:
    """Return the text of an option for comparison, without markup and its letter."""
    return re.sub(r"^\(?[A-Za-z](?:\s?[).:]|\s[-–])\s*", "", bare(words)).strip(". ").casefold()


def last_statement(text: str, options: Sequence[str] = ()) -> Statement | None:
    """Return the last statement in labels, tags, JSON and sentences; None without one."""
    known = frozenset(map(plain_option, options))
    objects = list(json_statements(text, known))
    statements = [said for start, said in objects if is_own(text, start)]
    # No label or sentence inside an object states anything beside it.
    text = without_spans(text, [(start, said.end) for start, said in objects])
    statements += [
        *tag_statements(text, known),
        *(Statement(match.end(), value_in(match["value"])) for match in HASHES.finditer(text)),
        *label_statements(text, known),
        *sentence_statements(text, known),
    ]
    last_line = text.rstrip().rpartition("\n")[2]
    sentence = last_sentence(last_line)
    match = CONCLUSION.search(sentence) if len(sentence) <= 2 * MAX_CHARACTERS else None
    if match is not None:
        value = number_in_words(match["value"])
        before = last_line[: last_line.rfind(match["value"])]
        if value is not None and is_own(before, len(before)) and not TWO_EQUATIONS.search(before):
            statements.append(Statement(len(text.rstrip()) - 1, value))
    return max(statements, key=lambda said: said.end, default=None)


def label_statements(text: str, known: frozenset[str]) -> Iterator[Statement]:
    """Yield the statements of labels at the beginnings of lines."""
    for match in matches(LABEL, text, 2 * MAX_CHARACTERS):
        value, end = match["value"], match.end()
        marked = match["sign"] or match[0].lstrip()[:1] in "#*"
        if marked and not value.strip(MARKUP + ".:"):
            # A heading, or a label whose value stands on the next line.
            following = text[end : end + 2 * MAX_CHARACTERS].lstrip()
            first = following.partition("\n\n" if following.startswith(("$$", "\\[")) else "\n")[0]
            is_list = LIST_ITEM.match(first) is not None
            yield Statement(end + 1, None if is_list else value_in(first, known=known))
        elif match["sign"] and not SENTENCE.search(value):
            words = not match["result"]
            yield Statement(end, value_in(value, any_words=words, known=known))


def sentence_statements(text: str, known: frozenset[str]) -> Iterator[Statement]:
    """Yield the statements of sentences, of which several may stand on a line."""
    heads = list(matches(SENTENCE, text, 400))
    for head, following in zip(heads, [*heads[1:], None], strict=False):
        words = text[head.end() : following.start() if following else None].partition("\n")[0]
        # Of a list below the sentence no item is the answer.
        is_list = "\n" in head[0] and LIST_ITEM.match(words)
        value = None if is_list else value_in(words, known=known)
        if (value is not None or states_number(words)) and is_own(text, head.start()):
            yield Statement(head.end() + len(first_sentence(words)[0]), value)


def tag_statements(text: str, known: frozenset[str]) -> Iterator[Statement]:
    """Yield the author's own statements between tags."""
    for match in matches(TAG, text, 1300):
        if is_own(text, match.start()):
            yield Statement(match.end(), value_in(match["value"], any_words=True, known=known))


def json_statements(text: str, known: frozenset[str]) -> Iterator[tuple[int, Statement]]:
    """Yield (start, answer) of JSON objects: the whole reply, or a fence, or the last braces."""
    # Of a fence in prose the end is its own, so that what is said behind it counts as later.
    places = [] if json_at_end(text) is None else [(text, 0, len(text))]
    for form in (FENCED_ANYWHERE, FLAT_OBJECT):
        places += [(found["inside"], *found.span()) for found in form.finditer(text)]
    for inside, start, end in places:
        mapping = as_mapping(json_object(inside) or [])
        values = {
            json_value(mapping[key], known)
            for key in KEYS
            if key in mapping and mapping[key] is not None
        }
        if values:
            yield start, Statement(end, values.pop() if len(values) == 1 else None)


def without_spans(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return the text with a sign that means nothing for each character of the spans' lines."""
    pieces = []
    at = 0
    for start, end in sorted(spans):
        pieces += [text[at:start], re.sub(r"[^\n]", "\0", text[max(at, start) : end])]
        at = max(at, end)
    return "".join((*pieces, text[at:]))


FENCED_ANYWHERE = re.compile(
    r"(?:```|~~~)(?:json)?[ \t]*\n(?P<inside>\s*\{[^`~]{0,5000}\}\s*)(?:```|~~~)"
)
# With the beginning of a fence around it, before which it is said whose it is.
FLAT_OBJECT = re.compile(r"(?:(?:```|~~~)\w{0,9}\s{1,9})?(?P<inside>\{\s*[\"'][^{}]{0,2000}\})")


def json_value(value: object, known: frozenset[str]) -> str | None:
    """Return a value of JSON as an answer: text, a number or a truth value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value) if math.isfinite(value) else None
    return value_in(value, any_words=True, known=known) if isinstance(value, str) else None


def value_in(
    words: str, *, any_words: bool = False, known: frozenset[str] = frozenset()
) -> str | None:
    """Return the value that the rest of a statement gives; None if it gives two, or none.

    With `any_words`, as after a label, words are a value too; without, as in a sentence, only a
    number, mathematics, what is in bold or quotes, or a name.  `known` are texts of options, which
    are values everywhere.
    """
    # The verb of Japanese and Korean stands behind the value.
    words = COPULA.sub("", words.strip())
    if known and plain_option(words) in known:
        return bare(words)
    if "\\boxed" in words or len(words) > MAX_CHARACTERS:
        return None
    first, rest = first_sentence(words)
    if sum(map(first.count, "([{")) > sum(map(first.count, ")]}")):
        return None
    if CONTINUED.match(words, len(first)):
        # "5, -5" and "10 - x" are one value; of other words behind a first one it cannot be told.
        whole = cleaned(words)
        return whole if whole and FORMULA.fullmatch(whole) else None
    number = number_in_words(first)
    if number is not None:
        return None if SECOND_VALUE.search(rest[:60]) else number
    if HEDGE.search(first) or re.search(r"\bconfidence\b", first, re.IGNORECASE):
        first = re.split(r",?\s*\bconfidence\b", first, flags=re.IGNORECASE)[0]
        if HEDGE.search(first):
            return None
    marked = re.match(
        r"(?:\*\*|__|`|\"|“|\$\$?|\\\(|\\\[)(.{1,300}?)(?:\*\*|__|`|\"|”|\$\$?|\\\)|\\\])", first
    )
    if marked:
        return cleaned(marked[1])
    value = cleaned(first)
    if value is None or len(value) > LONGEST_WORDS:
        return None
    is_name = re.fullmatch(r"(?:[A-Z][\w'’.-]*)(?:\s(?:[A-Z][\w'’.-]*|of|the|and|de|la))*", value)
    if NOTHING.fullmatch(value) or (is_name is None and NO_ANSWER.match(value)):
        return None
    if any_words or is_name or value.lower() in ("yes", "no", "true", "false"):
        return value
    return value if FORMULA.fullmatch(value) else None


def first_sentence(words: str) -> tuple[str, str]:
    """Return the words up to the end of a sentence or clause outside of brackets, and the rest."""
    depth = 0
    for match in CLAUSE.finditer(words):
        if match["end"] and depth == 0:
            return words[: match.start()], words[match.end() :]
        if match[0][-1] in "([{":
            depth += 1
        elif match[0] in ")]}":
            depth = max(0, depth - 1)
    return words, ""


CLAUSE = re.compile(
    r"(?P<end>(?<=[^\s\d])[.;!?。；](?=\s|$)|(?<=\d)[.;!?。](?=\s|$|\*)|,\s|\s[-–—]\s|\s\()|[()\[\]{}]"
)
# What goes on with the value where a clause seems to end.
CONTINUED = re.compile(
    r",\s(?:[-−+±(\[]\s?)?(?:\d|\\|[a-z]\s?=)|\s[-–—]\s(?![IaA]\b)(?:\d|[A-Za-z]\b|\\|\()"
    r"|\s\((?:mod|or|and)\b",
)
# Two equations side by side, before the last sign.
TWO_EQUATIONS = re.compile(r"=[^=]*(?:[,;]|\b(?:and|or|und|oder|ou)\b)")
LIST_ITEM = re.compile(r"\s*\d{1,2}[.)]\s+\S")


def last_sentence(line: str) -> str:
    """Return the last sentence of a line."""
    return re.split(r"(?<=[.!?])\s+(?=[A-Z])", line.strip())[-1]


def number_in_words(words: str) -> str | None:
    """Return the number that the words are, without the noun that is counted; None for others."""
    if len(words) > MAX_CHARACTERS:
        return None
    plain = bare(words)
    # Of an equation the right-hand side is the value.
    left, sign, right = plain.rpartition("=")
    if TWO_EQUATIONS.search(left):
        return None
    plain = bare(right) if sign else plain
    match = NUMERIC.fullmatch(plain)
    if match is None:
        value = spelt_number(plain) if len(plain) <= LONGEST_WORDS else None
        return None if value is None else str(value)
    number = match["number"].strip()
    number = re.sub(r"^([-−–+]?)\s?[$€£¥]\s?", r"\1", number)
    unit = match["unit"].strip()
    if NO_UNIT.search(unit):
        return None
    # A noun that is counted says nothing; a unit of measure may.
    return number if not unit or COUNTED.fullmatch(unit) else f"{number} {unit}"


COUNTED = re.compile(
    r"(?:[a-z]{2,20}\s){0,2}(?!(?:inch|feet|foot|mile|meter|metre|liter|litre|gram|hour"
    r"|minute|second|day|week|month|year|percent|degree|radian|kilo|milli|centi|square"
    r"|cubic|pound|ounce|ton|watt|volt|joule|newton|mol|mph)\w*)[a-z]{3,20}"
)


NO_UNIT = re.compile(r"\b(?:is|are|was|were|the|of|and|or|not|to|a|an|but|if)\b")


def states_number(words: str) -> bool:
    """Return whether a sentence begins to state a number, so that it is a statement left open."""
    return bool(re.match(r"[\s*_$(]{0,5}(?:either |between |about |maybe |not )?[\d\\]", words))


def value_alone(line: str, *, is_whole: bool) -> str | None:
    """Return the value that a line is; None if it is anything else."""
    line = line.strip()
    # A line that begins with ">" is a quotation.
    if not line or line.startswith(">") or len(line) > LONGEST_WORDS * 3 or "\\boxed" in line:
        return None
    number = number_in_words(line)
    if number is not None:
        return number
    plain = bare(line)
    if plain.lower() in ("yes", "no", "true", "false"):
        return plain
    marked = re.fullmatch(
        r"(\$\$?|\\\(|\\\[|\*\*)(?P<value>.{1,200})(\$\$?|\\\)|\\\]|\*\*)[.]?", line
    )
    if marked and not HEDGE.search(marked["value"]) and "=" not in marked["value"]:
        return cleaned(marked["value"]) if marked[1] != "**" or is_whole else None
    return None


def bare(words: str) -> str:
    """Return words without the markup and the full stop around them."""
    words = words.strip(MARKUP)
    words = words.removesuffix(".") if not words.endswith("..") else words
    words = words.strip(MARKUP)
    for opening, closing in PAIRS:
        if len(words) > len(opening + closing) and words.startswith(opening):
            if opening == "(" and not {"(", ")", ","}.isdisjoint(words[1:-1]):
                continue
            if words.endswith(closing):
                words = words[len(opening) : -len(closing)].strip(MARKUP)
            elif words.count("$") == 1 and opening == "$":
                words = words[1:].strip(MARKUP)
    words = words.removesuffix(".").removesuffix("$").strip(MARKUP)
    wrapped = WRAPPED.fullmatch(words)
    return wrapped[1].strip() if wrapped else words


def cleaned(words: str) -> str | None:
    """Return the words of a value without markup; None if nothing is left."""
    value = bare(words)
    return value if any(map(str.isalnum, value)) or "\\" in value else None
