"""Read the images of a row of a file: paths beside the file, bytes, or what data sets hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from arena.errors import StudyError
from arena.images import Image, read_image

PLAIN_FORMS = "the path of a file beside this one, or a list of such paths"


def images_in(value: object, folder: Path) -> tuple[Image, ...]:
    """Return the images in a cell: one or a list; a path is relative to `folder`.

    Also read are bytes, and the mapping {"bytes", "path"} that data sets of the hub hold.  Raises
    ValueError for anything else, and for what is no image.
    """
    if isinstance(value, list | tuple):
        return tuple(image for each in value for image in images_in(each, folder))
    if value is None or value == "":
        return ()
    if isinstance(value, Mapping) and (value.get("bytes") or value.get("path")):
        value = value.get("bytes") or value.get("path")
    try:
        if isinstance(value, bytes | bytearray):
            return (read_image(bytes(value)),)
        if isinstance(value, str):
            return (read_image(folder / value.strip()),)
    except StudyError as error:
        raise ValueError(str(error)) from error
    raise ValueError(f"an image is {PLAIN_FORMS}, not {type(value).__name__}")
