"""Read images, and check what they are by their bytes.

An image is identified by the hash of its bytes, wherever its file lies and whatever its name says.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path

from arena.errors import StudyError

# In base64 it then has 5 MiB, the least that a provider with images takes.
MOST_BYTES = 5 * 2**20 * 3 // 4
# How files of each type begin; of WebP the length of the file stands in between.
BEGINNINGS = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
}
# What a large picture takes at most providers: 1445 tokens at OpenAI, about 1600 at Anthropic.
TOKENS_OF_AN_IMAGE = 1600
# No provider counts more for one; gpt-4o-mini, whose tokens are cheap, counts 48,169.
MOST_TOKENS_OF_AN_IMAGE = 50_000
IMAGE_SOURCES = "the path of a file, its bytes, or an Image"


def media_type_of(data: bytes) -> str | None:
    """Return "image/png", "image/jpeg", "image/webp" or "image/gif" by the first bytes."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    found = (name for name, starts in BEGINNINGS.items() if data.startswith(starts))
    return next(found, None)


def is_whole(data: bytes) -> bool:
    """Return whether an image has its end, as far as its blocks tell: a cut file has none."""
    kind = media_type_of(data)
    if kind == "image/png":
        return has_chunk(data, b"IHDR") and has_chunk(data, b"IEND")
    if kind == "image/jpeg":
        return data.rfind(b"\xff\xd9") > start_of_scan(data) > 0
    if kind == "image/webp":
        return len(data) >= 20 and len(data) >= 8 + int.from_bytes(data[4:8], "little")
    return len(data) > 13 and data.rstrip(b"\0\r\n ").endswith(b";")


def start_of_scan(data: bytes) -> int:
    """Return where the picture of a JPEG begins, behind its segments; 0 if it is cut before."""
    # Segment by segment: one may hold a small picture, with an end of its own.
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xDA:
            return at
        # Any number of bytes 0xFF may stand before a marker.
        is_fill = data[at + 1] == 0xFF
        at += 1 if is_fill else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0


def has_chunk(data: bytes, name: bytes) -> bool:
    """Return whether a PNG has a whole chunk of this name."""
    at = 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == name:
            return end <= len(data)
        at = end
    return False


@dataclass(frozen=True, slots=True)
class Image:
    """An image: PNG, JPEG, WebP or GIF, of at most MOST_BYTES.

    `hash` is the sha256 of its bytes as 64 hex digits, `media_type` what they are.  Raises
    StudyError, which begins with `name`, for anything else.
    """

    data: bytes = field(repr=False)
    name: str = field(default="an image", compare=False)
    hash: str = field(init=False)
    media_type: str = field(init=False)

    def __post_init__(self) -> None:
        kind = media_type_of(self.data)
        if kind is None:
            found = f"begins with {self.data[:8]!r}" if self.data else "is empty"
            raise StudyError(
                f"{self.name} {found}, and is none of PNG, JPEG, WebP and GIF; save it as one"
            )
        if len(self.data) > MOST_BYTES:
            raise StudyError(
                f"{self.name} has {len(self.data) / 1e6:.1f} MB, and providers take at most"
                f" {MOST_BYTES / 1e6:.1f} MB an image; save it smaller"
            )
        object.__setattr__(self, "media_type", kind)
        object.__setattr__(self, "hash", hashlib.sha256(self.data).hexdigest())

    @property
    def base64(self) -> str:
        """Return the bytes in base64."""
        return base64.b64encode(self.data).decode("ascii")

    @property
    def data_uri(self) -> str:
        """Return the image as an address that holds it."""
        return f"data:{self.media_type};base64,{self.base64}"


@dataclass(frozen=True, slots=True)
class PlacedImage:
    """An image in a message: before the character `at` of its text."""

    image: Image
    at: int


def read_image(source: Image | bytes | str | PathLike[str]) -> Image:
    """Return an image from the path of a file, or from its bytes.

    Raises StudyError if there is no such file, or if it is no whole image that models take.
    """
    if isinstance(source, Image):
        return source
    if isinstance(source, bytes | bytearray | memoryview):
        return whole_image(Image(bytes(source)))
    if not isinstance(source, str | PathLike):
        raise StudyError(f"an image is {IMAGE_SOURCES}, not {source!r:.60}")
    path = Path(fspath(source)).expanduser()
    try:
        # What is too long is not read whole: it may be no image, and larger than the memory.
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise StudyError(f"the image {str(path)!r} cannot be read: {why}") from error
    if size > MOST_BYTES and media_type_of(data) is not None:
        raise StudyError(
            f"{path} has {size / 1e6:.1f} MB, and providers take at most {MOST_BYTES / 1e6:.1f} MB"
            " an image; save it smaller"
        )
    return whole_image(Image(data, str(path)))


def whole_image(image: Image) -> Image:
    """Return an image; raise StudyError if a part of it is missing."""
    # Not where an image is made: what a store holds can be read whatever it is.
    if not is_whole(image.data):
        raise StudyError(
            f"{image.name} begins as {image.media_type} and has no end"
            f" ({len(image.data):,} bytes): the file was cut; save or download it once more"
        )
    return image


def read_images(sources: Iterable[Image | bytes | str | PathLike[str]]) -> tuple[Image, ...]:
    """Return images in their order.  Raises StudyError for what is no image, or no list of them."""
    # A path alone would be taken for a list of letters, bytes for one of numbers.
    if isinstance(sources, str | bytes | PathLike | Image) or not isinstance(sources, Iterable):
        raise StudyError(
            f"images are a list, each {IMAGE_SOURCES}, not {sources!r:.60}; write"
            " images=('picture.png',)"
        )
    return tuple(map(read_image, sources))
