"""Say whether words that stand in a speech may be shown to others.

A speech is public only if nothing in it may be private words under another name: a remnant of a tag
of ours in any disguise, a tag that is neither emphasis nor a part of a speech, a comment, a label
such as "Private thoughts:", or a label of a rating with its number.  What is doubtful is not shown,
and asked for once more.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator

from arena.play.reasoning import in_small_letters, matches, places_of
from protocols.parsing.private_words import (
    NOT_SHOWN_IN_WORDS,
    PRIVATE_IN_WORDS,
    RATINGS_IN_WORDS,
    THOUGHTS_IN_WORDS,
    either,
)

# Brackets of other scripts and signs that look like them, character for character.
ANGLES = "＜＞〈〉‹›◁▷⟨⟩«»˂˃❬❭❮❯❰❱⟪⟫《》﹤﹥ᐸᐳ≺≻⧼⧽"
FOLD = dict(zip("［］【】｛｝／％−", "[][]{}/%-", strict=True))
FOLD |= dict(zip(ANGLES, "<>" * (len(ANGLES) // 2), strict=True))

# Tags that models use for emphasis and lists.
EMPHASIS_TAGS_IN_WORDS = (
    "a b blockquote br cite code em h1 h2 h3 h4 h5 h6 hr i li ol p pre q s strong sub sup"
    " table tbody td th thead tr u ul div span small mark abbr"
)
EMPHASIS_TAGS = frozenset(EMPHASIS_TAGS_IN_WORDS.split())
# Words of which the names of a speech's parts are made, as in <core_claim> or <FINAL SPEECH>.  A
# tag with any other word may be somebody's name for private words.
PARTS_OF_SPEECH_IN_WORDS = (
    "argument arguments claim claims clash clashes conclusion connection connections counter"
    " details details evidence example examples explanation framing headline impact impacts"
    " introduction issue issues motion point points principle proof quote quotes question"
    " questions rebuttal rebuttals response responses summary support synthesis title topic"
    " voting weighing challenge challenges decisions body paragraph section sections source"
    " sources statement roadmap warrant definition definitions defense defence crystallization"
    " original priority vulnerabilities gaps gap mechanism additional specific clause limitation"
    " limitations flaw flaws flawed grounding misstep application validity relevance importance"
    " unity practical explained criterion criteria comparison framework hierarchy item items"
    " inconclusive standard standards burden value solution harm harms benefit benefits context"
    " background overview facts data outcome outcomes numbers cost weak poor strong stronger policy"
    " correlation causation competing failure overall"
)
PARTS_OF_SPEECH = frozenset(PARTS_OF_SPEECH_IN_WORDS.split())
# These only beside another word of a part: <analysis> alone may be anything.
BESIDE_PARTS_IN_WORDS = (
    "a an and analysis case closing core crucial defensive final first for key main of on"
    " opening our opponent opposition proposition government second speech strength strengths the"
    " their third to type why one two three four five main affirmative negative debate"
    " comparative counterargument round part pro con side we win prevail demonstrate evaluation"
    " frame major minor explain crucial number"
)
BESIDE_PARTS = frozenset(BESIDE_PARTS_IN_WORDS.split())
FENCE = re.compile(r"```\w*")
STRUCTURE = re.compile(r"<(/?\s?[A-Za-z][\w &:.-]{0,60})/?>")
FOREIGN_TAG = re.compile(
    r"<(?!https?://|mailto:|www\.|[\w.+-]{1,60}@)(?:!|[/|]?([^\W\d][\w|-]{0,40}+))", re.IGNORECASE
)

# A line that begins with one of these gives away what is private without any tag.
START = r"^[\s>*_\#(\[{\d.+•-]{0,12}+"
OWNER = r"(?:(?:my|own|private|internal|inner|secret|personal|hidden|current)\s{1,3})"
THOUGHTS = (
    r"(?:thoughts?(?:\sprocess)?|thinking(?:\sprocess)?|reasoning(?:\sprocess)?|monologue|musings?"
    r"|deliberations?|reflections?|chain[\s-]of[\s-]thought|scratch\s?-?pad"
    r"|notes?\sto\s(?:my)?self)"
)
SIGN = r"(?:\s(?:is|are))?[\s*_]{0,4}+(?::|：|=|[-–—]\s)"
NUMBER = (
    r"[\s*_(~\[]{0,5}(?:about\s|around\s|roughly\s|is\s|very\s|quite\s|fairly\s|rather\s)?"
    r"(?:[+-]?\.?\d|(?:high|low|medium|moderate|strong|weak|certain|full|total|complete|absolute)\b"
    r"[\s.!*_)]{0,4}$|(?:zero|ten|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred"
    r"|one\shundred|a\shundred)\b)"
)
RATING = (
    r"(?:self[\s-])?(?:rating|confidence|bet|stake|wager|certainty|win\sprobability|odds)"
    r"(?:\s(?:level|score|rating|estimate|amount|percentage|in\s(?:winning|victory|my\scase)))?"
)
FOREIGN_THOUGHTS = either(THOUGHTS_IN_WORDS)
FOREIGN_RATINGS = either(RATINGS_IN_WORDS)
# At the beginning of a line, behind two words or three letters ("Meine Gedanken", "我的思考").
FOREIGN_START = r"^[\s>*_\#(\[{\d.+•【「〔（《〈-]{0,12}+(?:[^\W\d_]{1,12}\s){0,2}[^\W\d_]{0,3}?"
FOREIGN_END = r"[^\W\d_]{0,3}\s?(?:[(（][^()（）\n]{0,30}[)）])?"
# What ends a label: a sign, the end of its line, or that of the bold words.
END = rf"(?:{SIGN}|[\s*_]{{0,4}}$|\*\*|__)"
LABELS = tuple(
    re.compile(form, re.IGNORECASE | re.MULTILINE)
    for form in (
        START + OWNER + "{0,3}" + rf"(?:thoughts?|thinking|reasoning)(?:\sprocess)?{SIGN}",
        START + OWNER + "{1,3}" + THOUGHTS + rf"(?:{SIGN}|[\s*_]{{0,4}}$|\*\*|__)",
        START + THOUGHTS + r"[\s*_]{0,4}+[:：]",
        r"^[\s>\d.)-]{0,9}(?:\*\*|__|\#{1,6})\s?(?:thoughts?|thinking)\s?(?:\*\*|__|\#{0,6}\s?$)",
        rf"\b{OWNER}{{0,2}}(?:private|inner|secret|internal|hidden)\s(?:{THOUGHTS}|{RATING})"
        r"[^.:：\n]{0,20}[:：]",
        r"\b(?:private|confidence)\sbets?\b|\bprivate\s(?:confidence|ratings?)\b",
        START + r"bet\s(?:amount|logic|report|size)\b|\bbet\samount\s?[:：]",
        # <bet_logic_private> without its brackets, and a heading such as "PRIVATE BID REPORT".
        r"\b\w{1,40}_private\b|\bprivate_\w{1,40}",
        START
        + OWNER
        + r"{0,2}(?:private|internal|secret|confidential)\s(?:bid|bets?|betting|reports?|notes?"
        r"|assessments?|logic|comments?|evaluations?|remarks?|estimates?|opinions?|views?"
        r"|section)\b",
        START + OWNER + "{0,3}" + RATING + rf"(?:\s?\([^()\n]{{0,30}}\))?{SIGN}{NUMBER}",
        rf"[(\[{{]\s?{OWNER}{{0,2}}{RATING}\s{{0,3}}[:：=]{NUMBER}",
        r"^\s{0,9}(?:```|~~~)\s?\w{0,20}?(?:thought|think|private|reasoning|monologue|scratch)",
        r"\(\s?[/\\]?\s?(?:(?:my|own|private)[\s_]){0,2}(?:thoughts?|think(?:ing)?)\s?\)",
        r"\(\s?[/\\]\s?(?:speech|rating|reasoning)\s?\)",
        START + rf"(?:{either(PRIVATE_IN_WORDS)})(?:\s(?:only|part))?{END}",
        START
        + rf"[^\W\d_][^()\n]{{0,40}}\([^()\n]{{0,20}}\b(?:{NOT_SHOWN_IN_WORDS})[^()\n]{{0,30}}\)"
        + END,
        START
        + OWNER
        + r"{0,3}self[\s-]?(?:assessments?|evaluations?|reflections?|critiques?|analysis|notes?"
        + rf"|reviews?)(?:\s?\([^()\n]{{0,30}}\))?{END}",
        FOREIGN_START + rf"(?:{FOREIGN_THOUGHTS}){FOREIGN_END}{END}",
        FOREIGN_START + rf"(?:{FOREIGN_RATINGS}){FOREIGN_END}{SIGN}{NUMBER}",
        rf"[【\[［(（「〔]\s?[/／]?\s?(?:{FOREIGN_THOUGHTS})[^\W\d_]{{0,3}}\s?[】\]］)）」〕]",
    )
)
# A word of every label: only around these are labels looked for.
HINT = re.compile(
    r"thought|thinking|think\b|reason|rating|confidence|bet\b|stake|wager|certainty"
    r"|probability|odds"
    r"|monologue|musing|deliberation|reflection|scratch|note|private|confidential|internal"
    r"|secret|/\s?speech"
    r"|inner|hidden|personal|self|invisible|unseen|off the record|\beyes|\((?:not|never|for|only)\b"
    rf"|{either(PRIVATE_IN_WORDS)}|{FOREIGN_THOUGHTS}|{FOREIGN_RATINGS}"
)
# What hints begin with: to find these first takes a twentieth of the time of the pattern.
HINT_STARTS_IN_WORDS = (
    "thought think reason rating confidence bet stake wager certainty probability odds monologue"
    " musing deliberation reflection scratch note private confidential internal secret / inner"
    " hidden personal self invisible unseen off eyes ("
)
ALL_HINT_STARTS = {
    *HINT_STARTS_IN_WORDS.split(),
    *"|".join((either(PRIVATE_IN_WORDS), FOREIGN_THOUGHTS, FOREIGN_RATINGS)).split("|"),
}
# A longer word stands only where its beginning does.
HINT_STARTS = tuple(
    sorted(
        word
        for word in ALL_HINT_STARTS
        if not any(word[:end] in ALL_HINT_STARTS for end in range(1, len(word)))
    )
)
ASCII_HINT_STARTS = tuple(filter(str.isascii, HINT_STARTS))
WINDOW = 100
WORDS = re.compile(r"\s+|\S{1,400}")
IN_ANGLES = re.compile(
    rf"[{ANGLES}](\s?/?\s?\w{{0,12}}?(?:thought|think|private|rating|speech|confidence"
    rf"|{FOREIGN_THOUGHTS})\w{{0,12}})"
    rf"\s?[{ANGLES}]?",
    re.IGNORECASE,
)


def fold_brackets(text: str) -> str:
    """Return the text with the brackets of other scripts as ours, character for character."""
    if not text.isascii():
        for letter in FOLD.keys() & set(text):
            text = text.replace(letter, FOLD[letter])
    return text


def without_structure(plain: str) -> str:
    """Return the text with spaces for the tags that name parts of a speech; places stay."""
    return STRUCTURE.sub(lambda tag: " " * len(tag[0]) if is_structure(tag[1]) else tag[0], plain)


def is_structure(name: str) -> bool:
    """Return whether the name of a tag is that of a part of a speech."""
    words = re.findall(
        r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").lower()
    )
    named = [word for word in words if word not in BESIDE_PARTS]
    if any(word not in PARTS_OF_SPEECH for word in named):
        return False
    # "opening_speech" is a part, "speech" a tag of ours.
    return bool(named) or len(words) > 1


def is_private(words: str) -> bool:
    """Return whether words may hold something private under a name that is not ours."""
    return any(
        has_label(form) or has_foreign_tag(form) or has_postscript(form)
        for form in disguises(words)
    )


def is_addressed(tag: str) -> bool:
    """Return whether the attributes of a speech's opening tag may say that it is not for all."""
    return PRIVATE_ATTRIBUTE.search(unescape(tag)) is not None


# A bare word, as in <speech private>, is doubtful whatever it says.
PRIVATE_ATTRIBUTE = re.compile(
    r"\A\W{0,24}speech\s+[^\s=>＞][^=]*\Z"
    r"|\b(?:priv|self|me|myself|hidden|hide|intern|secret|confidential|not|none|nobody"
    r"|no|false|only|to|audience|draft|own|author)",
    re.IGNORECASE,
)


def has_postscript(words: str) -> bool:
    """Return whether words follow the tag that closes the whole speech, as </opening_speech>."""
    ends = [tag.end() for tag in STRUCTURE.finditer(words) if closes_speech(tag[1])]
    return bool(ends) and any(map(str.isalnum, FENCE.sub("", words[ends[-1] :])))


def closes_speech(name: str) -> bool:
    """Return whether a tag closes the whole speech under a name of its own."""
    return name.startswith("/") and "speech" in name.lower() and is_structure(name)


def hints_in(low: str) -> Iterator[re.Match[str]]:
    """Yield where a word of a label stands in a text in small letters, in order."""
    starts = [
        start for start in (ASCII_HINT_STARTS if low.isascii() else HINT_STARTS) if start in low
    ]
    places = {place for start in starts for place, *_ in places_of(start, low, closes=False)}
    return filter(None, (HINT.match(low, place) for place in sorted(places)))


def has_label(words: str) -> bool:
    """Return whether a label of private words stands in the words."""
    at = -1
    for hint in hints_in(in_small_letters(words)):
        # The next hint on the same line has been looked at with it.
        if hint.start() < at:
            continue
        begin = words.rfind("\n", max(0, hint.start() - WINDOW), hint.start()) + 1
        # Far from the line's beginning no label can be at its beginning.
        before = "" if begin or hint.start() < WINDOW else "."
        begin = begin or max(0, hint.start() - WINDOW)
        at = hint.end() + WINDOW
        window = before + words[begin : at + WINDOW]
        if any(label.search(window) for label in LABELS):
            return True
    return False


def has_foreign_tag(plain: str) -> bool:
    """Return whether a tag stands in the words that is neither emphasis nor a part of a speech."""
    if "<" not in plain:
        return False
    for match in FOREIGN_TAG.finditer(without_structure(plain)):
        name = (match[1] or "").lower()
        # A single letter after a sign is a comparison: x <y.  In other scripts it may be a word.
        if name not in EMPHASIS_TAGS and (len(name) != 1 or not name.isascii()):
            return True
    return False


def disguises(words: str) -> list[str]:
    """Return the words as they are, and as they read once they are unescaped and without marks."""
    forms = {words: None}
    form = words
    # Three rounds, since an escape can be escaped itself.
    for _ in range(3):
        form = unescape(form)
        forms[form] = None
    if not form.isascii():
        form = without_marks(form)
        # Quotation marks of French and German are no tags, unless a word of ours stands in them.
        forms |= {form: None, with_angles(form): None}
    # A dict, since it keeps the order and each form once.
    return list(forms)


def with_angles(words: str) -> str:
    """Return the words with tags in the place of a word of ours between signs that look like them.

    All quotation marks of other languages stay.
    """
    pieces = []
    at = 0
    for match in matches(IN_ANGLES, words, 60):
        pieces += [words[at : match.start()], f"<{match[1]}>"]
        at = match.end()
    return "".join((*pieces, words[at:]))


def unescape(words: str) -> str:
    r"""Return the words with the entities of HTML and the \u escapes of JSON as characters."""
    if "&" in words:
        words = html.unescape(words)
    if "\\u00" in words:
        words = re.sub(r"\\u00([0-7][0-9a-fA-F])", lambda code: chr(int(code[1], 16)), words)
    return words


def without_marks(words: str) -> str:
    """Return the words in their compatibility form, without invisible characters of format."""
    # Full-width letters become plain ones, and zero-width characters could split a tag's name
    # unseen.
    # Word by word, and in pieces: the time of it grows with the square of a run of accents.
    words = "".join(unicodedata.normalize("NFKC", word) for word in WORDS.findall(words))
    for letter in set(words):
        if letter in LOOKALIKES or unicodedata.category(letter) == "Cf":
            words = words.replace(letter, LOOKALIKES.get(letter, ""))
    return words


# Letters of Greek and Cyrillic that cannot be told from ours.
LOOKALIKES = dict(
    zip(
        "аеорсухіѕһԁԛԝмтвнкАЕОРСТХВНКМΟΑΕΙΡΤΧο",
        "aeopcyxishdqwmtbhkAEOPCTXBHKMOAEIPTXo",
        strict=True,
    )
)
