"""Print reports as plain tables, readable in a terminal of 80 columns and in a file."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TextIO

from analysis.reports.blocks import Block, Document

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 100
COLUMN_GAP = 3
# Columns of a name beside numbers: with fewer, a name stands in too many pieces to be read.
SHORTEST_NAME = 8


def print_documents(
    documents: Sequence[Document],
    file: TextIO | None = None,
    *,
    command: str = "",
    rules: bool = False,
) -> None:
    """Print documents to standard output or a file.

    With `rules`, those of all stand once at the end; else a line says that the `command`, such as
    "arena report", prints them.
    """
    from rich.console import Console

    console = Console(file=file, highlight=False, markup=False, emoji=False)
    # A file has no width: its text is as wide as the code's, whatever terminal it is made in.
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    for document in documents:
        lines = [document.heading, *document.warnings]
        for line in [*lines, "=" * min(console.width, max(map(len, lines)))]:
            print_sentence(console, line)
        for block in document.blocks:
            print_block(console, block)
    # Studies share most rules: each is printed once.
    stated = {name: words for document in documents for name, words in document.rules.items()}
    if rules and stated:
        print_sentence(console, "Rules")
        for name, words in stated.items():
            print_sentence(console, f"  {name}: {words}")
    elif stated and command:
        print_sentence(console, f"Rules behind these numbers: {command} --rules")


def print_block(console: Console, block: Block) -> None:
    """Print a block with an empty line after it."""
    if block.title:
        print_sentence(console, block.title)
    if block.rows:
        print_table(console, block)
    for note in block.notes:
        print_sentence(console, note)
    console.print()


def print_table(console: Console, block: Block) -> None:
    """Print the headings and rows of a block; numbers are never wrapped or cut, words are wrapped.

    Where the terminal is too narrow for the numbers beside a name, each row is a list.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    columns = zip(block.headings, *block.rows, strict=True)
    widths = [max(map(len, column)) for column in columns]
    numbers = sum(width + COLUMN_GAP for width in widths[block.text_columns :])
    if numbers + block.text_columns * (SHORTEST_NAME + COLUMN_GAP) > console.width:
        print_lists(console, block)
        return
    # A name is not broken in the middle as long as the numbers leave room for it.
    room = console.width - sum(width + COLUMN_GAP for width in widths[1:])
    for number, heading in enumerate(block.headings):
        justify: Literal["left", "right"] = "left" if number < block.text_columns else "right"
        drawn.add_column(
            Text(heading),
            justify=justify,
            overflow="fold",
            no_wrap=number >= block.text_columns,
            min_width=max(1, min(widths[0], room)) if number == 0 else None,
        )
    for name, *others in block.rows:
        # With less room there are further columns of words, which share it.
        cells = (broken_name(name, room) if room >= SHORTEST_NAME else name, *others)
        # Text, not str: rich would read square brackets in a name as markup.
        drawn.add_row(*map(Text, cells))
    console.print(drawn)


def broken_name(name: str, room: int) -> str:
    """Return a name with line breaks behind its signs, where a word of it is longer than the room.

    Pieces without a sign that are longer still are left to be broken anywhere.
    """
    words = []
    for word in name.split(" "):
        lines = [""]
        for piece in re.findall(r"[^/:=-]+[/:=-]*|[/:=-]+", word) if len(word) > room else [word]:
            if lines[-1] and len(lines[-1]) + len(piece) > room:
                lines.append("")
            lines[-1] += piece
        words.append("\n".join(lines))
    return " ".join(words)


def print_lists(console: Console, block: Block) -> None:
    """Print each row as a list: its name, and a line for every other column."""
    longest = max(map(len, block.headings[1:]), default=0)
    for row in block.rows:
        print_sentence(console, row[0])
        for heading, cell in zip(block.headings[1:], row[1:], strict=True):
            print_sentence(console, f"  {heading.ljust(longest)}  {cell}")


def print_sentence(console: Console, words: str) -> None:
    """Print a sentence, wrapped with its further lines indented."""
    from rich.text import Text

    # A hyphen is part of a model's name: no line breaks there.
    lines = textwrap.wrap(words, console.width, subsequent_indent="    ", break_on_hyphens=False)
    console.print(Text("\n".join(lines)))
