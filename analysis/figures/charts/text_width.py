"""How wide text of a chart is, so that it takes its room in any reader's font.

The converter lays charts out with Liberation Sans, which it ships; a reader's browser may have
neither that font nor Arial, of the same widths, and would cut labels or let them overlap.  With
`textLength` a browser fits whatever font it has into the width that was laid out: text stays text,
which can be selected, searched and read aloud, and a file grows by a twentieth.
"""

from __future__ import annotations

import html
import re

# Advances of Liberation Sans in thousandths of its size, and the characters that have them.
REGULAR = {
    191: "'",
    222: "ijl‘’",
    260: "|¦",
    278: " !,./:;I[\\]ft·ÌÍÎÏìíîï",
    333: "()-`r¡¨²³´¸¹“”",
    334: "{}",
    350: "•",
    355: '"',
    365: "º",
    370: "ª",
    389: "*",
    400: "°",
    469: "^",
    500: "Jcksvxyzçýÿ",
    537: "¶",
    549: "±÷≤≥≈≠√",
    552: "¯",
    556: "#$0123456789?L_abdeghnopqu¢£¤¥§«»àáâãäåèéêëðñòóôõöøùúûüþ–",
    576: "µ",
    584: "+<=>~¬×−",
    611: "FTZ¿ßø",
    667: "&ABEKPSVXYÀÁÂÃÄÅÈÉÊËÝÞ",
    713: "∞",
    722: "CDHNRUwÇÐÑÙÚÛÜ",
    737: "©®",
    778: "GOQÒÓÔÕÖØ",
    833: "Mm",
    834: "¼½¾",
    889: "%æ",
    944: "W",
    1000: "Æ…—→←",
    1015: "@",
}
BOLD = {
    238: "'",
    278: " ,./I\\ijl·ÌÍÎÏìíîï‘’",
    280: "|¦",
    333: "!()-:;[]`ft¡¨²³´¸¹",
    350: "•",
    365: "º",
    370: "ª",
    389: "*r{}",
    400: "°",
    474: '"',
    500: "z“”",
    549: "±÷≤≥≈≠√",
    552: "¯",
    556: "#$0123456789J_aceksvxy¢£¤¥§«¶»àáâãäåçèéêëýÿ–",
    576: "µ",
    584: "+<=>^~¬×−",
    611: "?FLTZbdghnopqu¿ßðñòóôõöøùúûüþ",
    667: "EPSVXYÈÉÊËÝÞ",
    713: "∞",
    722: "&ABCDHKNRUÀÁÂÃÄÅÇÐÑÙÚÛÜ",
    737: "©®",
    778: "GOQwÒÓÔÕÖØ",
    833: "M",
    834: "¼½¾",
    889: "%mæ",
    944: "W",
    975: "@",
    1000: "Æ…—→←",
}
ADVANCES = {
    bold: {letter: width for width, letters in table.items() for letter in letters}
    for bold, table in ((False, REGULAR), (True, BOLD))
}
TEXT = re.compile(r"<text (?P<head>[^>]*)>(?P<inner>.*?)</text>", re.S)
SPAN = re.compile(r"<tspan(?P<head>[^>]*)>(?P<words>[^<]*)</tspan>")
SIZE = re.compile(r'font-size="([0-9.]+)px"')


def text_width(words: str, size: float, *, bold: bool = False) -> float | None:
    """Return the width of a line in the unit of its size; None if a character is not known."""
    advances = ADVANCES[bold]
    if any(letter not in advances for letter in words):
        return None
    return size * sum(advances[letter] for letter in words) / 1000


def keep_widths(drawing: str) -> str:
    """Return an SVG of the converter whose lines of text take the width that was laid out."""
    return TEXT.sub(text_with_width, drawing)


def text_with_width(text: re.Match[str]) -> str:
    """Return a text, or each of its lines, with its width."""
    head, inner = text["head"], text["inner"]
    size = SIZE.search(head)
    if size is None:
        return text[0]
    bold = 'font-weight="bold"' in head

    def attributes(words: str) -> str:
        """Return the attributes of a line, if it is known how wide it is."""
        width = text_width(html.unescape(words), float(size[1]), bold=bold)
        return f' textLength="{width:.1f}" lengthAdjust="spacingAndGlyphs"' if width else ""

    if "<" not in inner:
        return f"<text {head}{attributes(inner)}>{inner}</text>"
    lines = SPAN.sub(
        lambda span: f"<tspan{span['head']}{attributes(span['words'])}>{span['words']}</tspan>",
        inner,
    )
    return f"<text {head}>{lines}</text>"
