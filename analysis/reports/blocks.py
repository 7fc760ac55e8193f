"""A report as data: blocks of title, headings, rows and notes.

Functions in tables/ make blocks from estimates; terminal.py prints them, html.py puts them into a
page, and notebooks show their `_repr_html_`.  All text is ready to be shown: numbers are formatted,
and characters that could steer a terminal are replaced.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from analysis.reports.tables.formatting import clean
from arena.text import html_notes, html_table


@dataclass(frozen=True, slots=True)
class Block:
    """A table with its title and the notes below it, or notes alone.

    The first `text_columns` columns hold words and are aligned left, the others numbers.
    """

    title: str = ""
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    text_columns: int = 1

    def _repr_html_(self) -> str:
        """Return the block as HTML, all text escaped."""
        title = f"<h4>{html.escape(self.title)}</h4>" if self.title else ""
        drawn, _ = html_table(self.headings, self.rows, text_columns=self.text_columns)
        return title + (drawn if self.rows else "") + html_notes(self.notes)


@dataclass(frozen=True, slots=True)
class Document:
    """The report on one study: a heading, warnings in capitals, blocks, and the rules of its
    numbers.
    """

    heading: str
    warnings: tuple[str, ...]
    blocks: tuple[Block, ...]
    rules: Mapping[str, str] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        """Return the document as HTML, all text escaped; the rules are folded."""
        rules = html_notes(f"{name}: {words}" for name, words in self.rules.items())
        return "".join(
            (
                f"<h3>{html.escape(self.heading)}</h3>",
                *(f"<p><b>{html.escape(warning)}</b></p>" for warning in self.warnings),
                *(block._repr_html_() for block in self.blocks),
                f"<details><summary>Rules</summary>{rules}</details>" if rules else "",
            )
        )


def table(
    title: str,
    headings: str | Sequence[str],
    rows: Iterable[Sequence[object]],
    notes: Iterable[str] = (),
    *,
    text_columns: int = 1,
) -> Block:
    """Return a table as a block; headings that are fixed may be one text with commas between."""
    # Most headings are fixed and short; those with names of phases come as a sequence.
    columns = headings.split(", ") if isinstance(headings, str) else headings
    return Block(
        clean(title),
        tuple(map(clean, columns)),
        tuple(tuple(clean(str(cell)) for cell in row) for row in rows),
        tuple(map(clean, notes)),
        text_columns,
    )


def sentences_block(*notes: str) -> Block:
    """Return a block of sentences without a table."""
    return Block(notes=tuple(map(clean, notes)))


def document(
    heading: str,
    warnings: Iterable[str],
    blocks: Iterable[Block],
    rules: Mapping[str, str] | None = None,
) -> Document:
    """Return a document of those blocks that have rows or notes."""
    # A study has no answers, or no verdicts: such blocks are made empty and not shown.
    shown = tuple(block for block in blocks if block.rows or block.notes)
    return Document(clean(heading), tuple(map(clean, warnings)), shown, rules or {})
