"""Checksums of journal lines, and a count of the lines with a hash over their checksums.

From schema 5 on, the last field of each line is a checksum (CRC-32) of the bytes before it:

    {"t":"turns","episode":"…",…,"crc":"0f1e2d3c"}

The field has a fixed length, so a reader verifies the bytes of a line as they are, and parses
nothing.  The line at which a journal was closed holds the number of the lines before it, and a hash
over their checksums: by it, a line that is lost, doubled or moved is found too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from zlib import crc32

FIELD = b',"crc":"'
# The field, eight hexadecimal digits, and `"}` with the line break.
SEAL_BYTES = len(FIELD) + 8 + 3
END = b'{"t":"end",'


def seal(text: bytes) -> bytes:
    """Return a JSON object as a journal line, with its checksum as the last field."""
    body = text[:-1]
    return b'%b,"crc":"%08x"}\n' % (body, crc32(body))


def is_sealed(line: bytes) -> bool:
    """Tell whether a line has a checksum, right or wrong."""
    return line[-SEAL_BYTES:-11] == FIELD


def is_whole(line: bytes) -> bool:
    """Tell whether a line, with its line break, has a checksum and is as it was written."""
    return line[-SEAL_BYTES:] == b',"crc":"%08x"}\n' % crc32(line[:-SEAL_BYTES])


class Tally:
    """The number of lines that a journal has so far, and a hash over their checksums."""

    def __init__(self) -> None:
        self.lines = 0
        self._hash = hashlib.sha256()

    def add(self, lines: Sequence[bytes]) -> None:
        """Count lines, in their order in the journal."""
        self.lines += len(lines)
        self._hash.update(b"".join([line[-11:-3] for line in lines]))

    def end_line(self) -> bytes:
        """Return the line with which a journal of these lines is closed."""
        return seal(b'%b"lines":%d,"hash":"%b"}' % (END, self.lines, self.digest()))

    def digest(self) -> bytes:
        """Return the hash over the checksums so far, as hexadecimal digits."""
        return self._hash.hexdigest().encode()
