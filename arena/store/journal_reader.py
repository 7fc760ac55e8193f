"""Read the lines of a journal that are as they were written, and note those that are not.

Folding and live views read journals through this module alone, so both see the same lines.

- A line is whole if it fits its checksum.  Whatever else has a line break is damaged.
- What follows the last line break is a line too if it is whole, or the torn end of a killed run.
- A closed journal has a last line with the number of its lines and their hash.  Lines behind it
  are damaged.
- Journals of versions before schema 5 have no checksums.  Their lines are taken as they are.
- A journal says its version in its first line.  If that cannot be read, nothing shows that the
  others need no checksum, so all are held to theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from arena.errors import StoreError
from arena.store.checksums import END, FIELD, SEAL_BYTES, Tally, is_sealed, is_whole
from arena.store.schema import SCHEMA_VERSION

# Small enough that lines which are copied lie in the processor's cache.
COPIED_BYTES = 2**20
FIRST_SEALED_VERSION = 5
VERSION = re.compile(rb'\{"t":"journal","schema_version":(\d+)(?:,.*)?\}\n')
# A number with more digits is none, and Python refuses to read thousands of them.
MOST_DIGITS = 9
NOT_IN_ORDER = 0
# A first line is written at once and is shorter: no kill leaves more of one.
FIRST_LINE_BYTES = 100


@dataclass(frozen=True, slots=True)
class Damage:
    """A damaged line of a journal: its number from 1, and its bytes.

    The number is NOT_IN_ORDER if each line is whole, but lines are missing, doubled or moved.
    """

    journal: Path
    line: int
    text: bytes = b""


class JournalReader:
    """Where a reader of one journal stands.

    `offset` bytes and `lines` lines have been read, of which `damaged` are left out; `torn` is 1
    when the end of the journal is half a line.  `skip` holds the numbers of whole lines that are
    left out too.
    """

    def __init__(self, file: Path, skip: frozenset[int] = frozenset()) -> None:
        self.file = file
        self.skip = skip
        self.offset = 0
        self.lines = 0
        self.torn = 0
        self.damaged: list[Damage] = []
        self.is_ended = False
        self._is_sealed = True
        self._tally = Tally()
        self._lacks_break = False

    def read(self, end: int, *, growing: bool) -> Iterator[list[bytes]]:
        """Yield the whole lines before byte `end` in pieces of a megabyte, with their line breaks.

        A `growing` journal may get the other half of its last line later; of any other it is torn.
        Raises StoreError if the first line names a newer schema, or the file cannot be read.
        """
        try:
            with self.file.open("rb", buffering=COPIED_BYTES) as content:
                content.seek(self.offset)
                while self.offset < end and (lines := content.readlines(COPIED_BYTES)):
                    tail = b"" if lines[-1].endswith(b"\n") else lines.pop()
                    self.offset += sum(map(len, lines))
                    yield self._choose(lines)
                    if tail:
                        yield self._choose_tail(tail, growing=growing)
                        return
        except OSError as error:
            raise StoreError(f"cannot read the journal {self.file}: {error.strerror}") from error

    def _choose(self, lines: list[bytes]) -> list[bytes]:
        """Return the whole ones of complete lines."""
        if self._lacks_break and lines:
            # The line break of a line that was read without it.
            self._lacks_break = False
            lines = lines[1:] if lines[0] == b"\n" else lines
        if not lines:
            return lines
        first = self.lines + 1
        if first == 1:
            self._is_sealed = has_checksums(self.file, lines[0])
        self.lines += len(lines)
        bad = self._find_damaged(lines, first) if self._is_sealed else []
        if not bad and not self.skip:
            return lines
        left_out = {*bad, *(number - first for number in self.skip)}
        return [text for at, text in enumerate(lines) if at not in left_out]

    def _find_damaged(self, lines: list[bytes], first: int) -> list[int]:
        """Return the positions of the damaged ones of these lines, and note them.

        Whatever follows the end line is damaged, however whole.
        """
        end = 0 if self.is_ended else position_of_end(lines)
        before = [at for at, text in enumerate(lines[:end]) if not is_whole(text)]
        self.damaged += [Damage(self.file, first + at, lines[at]) for at in before]
        self._tally.add(lines[:end])
        behind = range(end, len(lines))
        if behind and not self.is_ended:
            self._check_end(lines[end])
            behind = behind[1:]
        self.damaged += [Damage(self.file, first + at, lines[at]) for at in behind]
        return [*before, *behind]

    def _check_end(self, line: bytes) -> None:
        """Compare the journal with what its last line says of it."""
        self.is_ended = True
        # A damaged line may have swallowed the next one, or become two.
        if line != self._tally.end_line() and not self.damaged:
            self.damaged.append(Damage(self.file, NOT_IN_ORDER))

    def _choose_tail(self, tail: bytes, *, growing: bool) -> list[bytes]:
        """Return what follows the last line break if it is a whole line."""
        complete = tail + b"\n"
        sealed = self._is_sealed if self.lines else is_sealed(complete)
        # A torn line is the beginning of one.  Where a whole line goes on, its break was changed.
        is_first = self.lines == 0
        is_damaged = (sealed and goes_on(tail)) or (is_first and len(tail) > FIRST_LINE_BYTES)
        if is_damaged or is_complete(complete, sealed=sealed):
            self.offset += len(tail)
            self._lacks_break = not is_damaged
            return self._choose([complete])
        if not growing:
            self.offset += len(tail)
            self.torn = 1
        return []


def position_of_end(lines: list[bytes]) -> int:
    """Return where the end line of a journal stands among these lines; their number: nowhere."""
    ends = (at for at, text in enumerate(lines) if text.startswith(END) and is_whole(text))
    return next(ends, len(lines))


def goes_on(text: bytes) -> bool:
    """Tell whether a whole line is the beginning of a text that has no line break."""
    end = text.find(FIELD) + SEAL_BYTES - 1
    return SEAL_BYTES <= end < len(text) and is_whole(text[:end] + b"\n")


def is_complete(line: bytes, *, sealed: bool) -> bool:
    """Tell whether a line is more than the beginning of one."""
    if sealed:
        return is_whole(line)
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def has_checksums(journal: Path, first_line: bytes) -> bool:
    """Tell whether the lines of a journal must have checksums: not if its first line says so.

    Raises StoreError if it names a newer schema.
    """
    match = VERSION.fullmatch(first_line)
    if match is None or (is_sealed(first_line) and not is_whole(first_line)):
        return True
    if len(match[1]) > MOST_DIGITS:
        raise StoreError(
            f"the journal {journal} names a schema version of {len(match[1]):,} digits: it is"
            " damaged, or none of ours; move it to another folder"
        )
    if (version := int(match[1])) > SCHEMA_VERSION:
        raise StoreError(
            f"the journal {journal} was written by a newer arena (schema version {version});"
            " update to read it"
        )
    return version >= FIRST_SEALED_VERSION
