r"""Take a text out of its spelling: wrappers, markdown, LaTeX styles, signs of other scripts.

Nothing here knows a gold answer, and nothing changes a value: `**１８**`, `\boxed{\bf 18}`,
`` `18` `` and `<b>18</b>` all become `18`.
"""

from __future__ import annotations

import re
import unicodedata

# Full-width characters become ASCII, dashes of other shapes that stand for a minus a hyphen.
WIDE = {0xFF01 + n: 0x21 + n for n in range(94)} | {ord("−"): "-", ord("﹣"): "-", 0x3000: " "}
WIDE |= {ord("℃"): "°C", ord("℉"): "°F", ord("′"): "'", ord("″"): '"', ord("º"): "°"}
# Marks that may stand around the whole of a text.
WRAPPERS = (
    ("$$", "$$"),
    ("$", "$"),
    (r"\(", r"\)"),
    (r"\[", r"\]"),
    ("```", "```"),
    ("`", "`"),
    ("***", "***"),
    ("**", "**"),
    ("*", "*"),
    ("__", "__"),
    ("_", "_"),
    ("~~", "~~"),
    ("==", "=="),
    ('"', '"'),
    ("'", "'"),
    ("“", "”"),
    ("„", "“"),
    ("‘", "’"),
    ("«", "»"),
    ("「", "」"),
    ("『", "』"),
)
# Commands of LaTeX whose argument is the text itself, and switches that only change its look.
STYLES = (
    "boxed fbox framebox text textbf textrm textit textsf texttt textup textsc textnormal emph"
    " mathrm mathbf mathit mathsf mathtt mathnormal mathcal mbox hbox bm boldsymbol pmb underline"
    " ensuremath displaylimits operatorname"
)
SWITCHES = (
    "bf it rm sf tt sl sc bfseries itshape rmfamily mdseries em displaystyle textstyle"
    " scriptstyle limits nolimits tiny small normalsize large Large LARGE huge Huge left right big"
    " Big bigl bigr Bigl Bigr bigg Bigg centering noindent quad qquad thinspace relax nobreak"
    " middle strut hfill newline"
)
COMMAND = re.compile(rf"\\(?:{'|'.join(STYLES.split())})\s*(?=\{{)|(?=\{{)")
SWITCH = re.compile(rf"\\(?:{'|'.join(SWITCHES.split())})(?![A-Za-z])")
COLOUR = re.compile(r"\\(?:text)?color\s*(?:\[[^\]]*\])?\s*\{[A-Za-z0-9!, ]*\}")
PHANTOM = re.compile(r"\\[vh]?(?:phantom|space)\*?\s*\{[^{}]*\}")
TAG = re.compile(
    r"</?(?:b|i|u|em|strong|code|span|p|div|math|mn|mark|br|center|font|tt|answer)\b[^<>]*>", re.I
)
RAISED_TAG = re.compile(r"<(sup|sub)>([^<>]{1,20})</\1>", re.I)
ENTITIES = {"&nbsp;": " ", "&amp;": "&", "&lt;": "<", "&gt;": ">", "&minus;": "-", "&times;": "×"}
# Signs before a value that say "is" or "about".
LEADING_SIGN = re.compile(
    r"(?:=>|[→⇒⟹➜∴]|\\(?:to|(?:long|Long)?[rR]ightarrow)(?![A-Za-z])"
    r"|[=≈≃≅≒∼~]|:=|\\(?:approx|approxeq|simeq|cong|sim|doteq|equiv|therefore"
    r"|implies)(?![A-Za-z])"
    r"|(?:about|approximately|approx\.?|roughly|around|circa|ca\.|equals|exactly"
    r"|only|just|(?:a )?total of)(?=\s*[-+]?\\?[$€£¥]?\s?\d))\s*",
    re.I,
)
# Also the dash of a price, 18,- and the "ish" of 18ish.
TRAILING = re.compile(
    r"(?:(?<=[0-9])(?:[.,][-–—]{1,2}|\s?-?ish)"
    r"|\\\\|\\newline(?![A-Za-z])|\\[,;:! ]|[,;:?]|\\(?=\s*\Z)|\s)+\Z"
)
# Headings, quotations (`> 7` may be a relation), bullets, and "The answer is".
HEADING = re.compile(
    r"#{1,6}\s*(?=\S)|> (?=[^\W\d]|[*_`#\"]|\\(?:boxed|text))|[•‣▪]\s*"
    r"|(?:\\text\s*\{\s*)?(?:the\s+)?(?:final\s+|correct\s+)?answer\s*(?:is\s*:?|:|=)\s*\}?\s*"
    r"|\\text(?:bf|rm)?\s*\{\s*\(?[A-E]\)?\s*[.:]?\s*\}[\s~\\]*(?=\S)",
    re.I,
)
# Words and numbers in bold or in code inside of a text: **18** eggs.
INSIDE = re.compile(r"(?<![\w*`])(\*\*|`)(?=[^\s*`])([^*`]+)(?<=[^\s*`])\1(?![\w*`])")
DISPLAY = re.compile(
    r"\\(?:begin|end)\s*\{(?:align|aligned|equation|gather|gathered|split|math|displaymath)\*?\}"
)
DOLLAR_SIGN = re.compile(r"\\textdollar(?![A-Za-z])|\\text\s*\{\s*\\\$\s*\}")
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-", strict=True))
LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+-", strict=True))
RAISED_FRACTION = re.compile("([⁰¹²³⁴⁵⁶⁷⁸⁹]+)[⁄/]([₀₁₂₃₄₅₆₇₈₉]+)")
# A letter x between two numbers is a sign of multiplication.
TIMES = re.compile(r"(?<=[0-9])(?<![^0-9.]0)(?<!^0)\s*[xX]\s*(?=[0-9])")
RAISED_DIGITS = re.compile(f"[{''.join(RAISED)}]+")
LOWERED_DIGITS = re.compile(f"[{''.join(LOWERED)}]+")
TEXT_COMMAND = re.compile(
    r"\\(?:text|textbf|textrm|textit|textnormal|mbox|hbox|mathrm|mathbf|mathit|mathsf|rm|bf"
    r"|operatorname)\s*\{([^{}]*)\}"
)
# Commas of thousands: {,} and \, and ,\! and narrow spaces, the Arabic and the Swiss sign.
THOUSANDS = re.compile(
    r"(?<=[0-9])(?:\{,\}|\\,|\\ |\\!|,\\!\s?|,\\:|[\u2009\u202f\u00a0\u066c'’](?=[0-9]))"
    r"(?=[0-9]{3}(?![0-9]))"
)
DASH = re.compile(r"(?:(?<=\A)|(?<=[\s(\[{,;=^]))[‐‑‒–—―](?=\s?[0-9.\\√πA-Za-z$€£])")
# Marks of category P that tell words apart (C#, AT&T, O-), unless they stand alone.
TELLING = frozenset(r"#%&@/\*-–—‐‑‒―")
ARTICLE = re.compile(r"\A(?:the|an|a) (?=\S)")


SIGNS_OF_ITEMS = "-+−–—*•"
# A line of a list: a bullet if there is one, and a number with a word at most after it.
ITEM = re.compile(
    r"(?:[-+−–—*•]\s+)?(?P<item>[-+−]?\$*(?:\\[dt]?frac\{[0-9]+\}\{[0-9]+\}|\.?[0-9][0-9.,/]*)"
    r"(?:\s?(?:%|[^\W\d_]+))?\$*)[.,;]?"
)


def unwrap(answer: str) -> str:
    """Return a text without invisible characters and without wrappers around the whole of it."""
    text = visible(list_of_lines(answer))
    if "<" in text or "&" in text:
        text = TAG.sub("", RAISED_TAG.sub(_raised_tag, text))
        for entity, sign in ENTITIES.items():
            text = text.replace(entity, sign)
    text = INSIDE.sub(r"\2", text.strip()) if "*" in text or "`" in text else text.strip()
    for _ in range(20):  # wrappers in wrappers, but not a thousand of them
        inner = _strip_wrapper(text)
        if inner == text:
            break
        text = inner
    return text


def list_of_lines(answer: str) -> str:
    """Return lines that hold a number each as one list with commas, any other text as it is.

    Of `9`, `- 10` and `- 11` the dashes are those of a list, and no subtraction; lines without any
    sign before them stay side by side.
    """
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    items = [ITEM.fullmatch(line) for line in lines]
    if not any(line[0] in SIGNS_OF_ITEMS for line in lines[1:]):
        return answer
    return ", ".join(item["item"] for item in items if item) if all(items) else answer


def visible(text: str) -> str:
    """Return a text in ASCII digits and spaces of one kind, without invisible characters."""
    shown = []
    for char in text.translate(WIDE):
        category = unicodedata.category(char)
        if category == "Nd":
            shown.append(str(unicodedata.decimal(char)))
        elif char in "\u2009\u202f\u00a0":
            shown.append(char)  # may part thousands
        elif category != "Cf" and not (category == "So" and ord(char) >= 0x2600):
            # Without zero-width and direction marks, and without emoji.
            shown.append(" " if char.isspace() else char)
    found = "".join(shown).replace("\u066b", ".")
    return re.sub(r"[\u2009\u202f\u00a0]", " ", THOUSANDS.sub(",", found))


def _raised_tag(match: re.Match[str]) -> str:
    """Return <sup> and <sub> as LaTeX."""
    return f"{'^' if match[1].lower() == 'sup' else '_'}{{{match[2]}}}"


def _strip_wrapper(text: str) -> str:
    """Return a text without its outermost wrapper, leading sign or full stop, or as it is."""
    for opening, closing in WRAPPERS:
        inner = text[len(opening) : -len(closing)]
        wrapped = text.startswith(opening) and text.endswith(closing)
        if inner.strip() and wrapped and opening not in inner and closing not in inner:
            return inner.strip()
    command = COMMAND.match(text)
    if command is not None and (inside := braced_text(text, command.end())) is not None:
        return inside.strip()
    for pattern in (HEADING, LEADING_SIGN, COLOUR, SWITCH):
        match = pattern.match(text)
        if match is not None and text[match.end() :].strip():
            return text[match.end() :].strip()
    trailing = TRAILING.search(text)
    if trailing is not None and trailing.start():
        return text[: trailing.start()]
    # An ellipsis is no full stop.
    if text.endswith((".", "。")) and text.strip("。. ") and not text.endswith(".."):
        return text[:-1].rstrip()
    return text


def braced_text(text: str, opening: int) -> str | None:
    """Return the text in the braces that open here and close with the text's end, or never.

    None if they close before, or hold nothing.
    """
    depth = 0
    for match in re.finditer(r"\\.|([{}])", text[opening:]):
        depth += {"{": 1, "}": -1}.get(match[1] or "", 0)
        if match[1] and depth == 0:
            return text[opening + 1 : -1] or None if opening + match.end() == len(text) else None
    return text[opening + 1 :] or None


def close_braces(text: str) -> str | None:
    """Close the braces that an answer which was cut off left open.

    None if one closes that was never opened.
    """
    depth = 0
    for match in re.finditer(r"\\.|([{}])", text):
        depth += {"{": 1, "}": -1}.get(match[1] or "", 0)
        if depth < 0:
            return None
    return text + "}" * depth


def plain_mathematics(text: str) -> str:
    """Return an unwrapped text with the signs of mathematics in ASCII or as commands of LaTeX."""
    if "\\begin" in text and DISPLAY.search(text):
        text = DISPLAY.sub(" ", text).replace("&", "")
    text = DOLLAR_SIGN.sub(r"\\$", text)
    text = RAISED_FRACTION.sub(_raised_fraction, text)
    text = TIMES.sub("*", "".join(_vulgar(char) for char in text).replace(r"\!", ""))
    text = RAISED_DIGITS.sub(lambda m: f"^{{{''.join(RAISED[c] for c in m[0])}}}", text)
    text = LOWERED_DIGITS.sub(lambda m: f"_{{{''.join(LOWERED[c] for c in m[0])}}}", text)
    text = PHANTOM.sub(" ", COLOUR.sub(" ", SWITCH.sub(" ", DASH.sub("-", text))))
    return text.strip()


def _raised_fraction(match: re.Match[str]) -> str:
    """Return a fraction of small digits as digits: ³⁄₄ is 3/4."""
    top, bottom = match.groups()
    return f" {''.join(RAISED[c] for c in top)}/{''.join(LOWERED[c] for c in bottom)} "


def _vulgar(char: str) -> str:
    """Return a vulgar fraction as digits, with a space before it (3½ is 3 1/2)."""
    if unicodedata.category(char) == "No" and "VULGAR FRACTION" in unicodedata.name(char, ""):
        return f" {unicodedata.normalize('NFKC', char).replace('⁄', '/')} "
    return "/" if char in "⁄∕÷" else char


def words(text: str) -> str:
    """Return a text as words are compared; the text itself if nothing would be left.

    Small letters, single spaces, no leading article, and no character of Unicode's category P,
    except those that tell words apart: C# and C, AT&T, O- and O.
    """
    # Not NFKC, which makes 52 of a five squared.
    text = unicodedata.normalize("NFC", TEXT_COMMAND.sub(r" \1 ", text)).casefold()
    kept = []
    for place, char in enumerate(text):
        before = text[place - 1] if place else " "
        after = text[place + 1] if place + 1 < len(text) else " "
        if char in "-–—‐‑‒―" and before.isalnum() and after.isalnum():
            kept.append(" ")
        elif char in TELLING:
            alone = before.isspace() and after.isspace()
            dash_alone = char != "-" and unicodedata.category(char) == "Pd"
            kept.append("" if alone or dash_alone else char)
        elif not (unicodedata.category(char).startswith("P") or char == "`"):
            kept.append(char)
    plain = " ".join("".join(kept).split())
    return ARTICLE.sub("", plain) or text.strip()
