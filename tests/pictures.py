"""Make the smallest whole images, for tests."""

from __future__ import annotations

import zlib


def png(words: bytes = b"") -> bytes:
    """Return a PNG of one black pixel, with these words as its comment."""
    header = b"\0\0\0\1\0\0\0\1\x08\0\0\0\0"
    parts = [(b"IHDR", header), (b"tEXt", b"Comment\0" + words), (b"IDAT", zlib.compress(b"\0\0"))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in (*parts, (b"IEND", b"")))


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    checksum = zlib.crc32(kind + content).to_bytes(4, "big")
    return len(content).to_bytes(4, "big") + kind + content + checksum
