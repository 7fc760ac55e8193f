"""Define a subject: whatever is debated, asked, judged or scored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

from arena.errors import StudyError
from arena.images import Image, read_images

DAY = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


@dataclass(frozen=True, slots=True)
class Subject:
    """A motion, a question, a debate or stored replies: whatever is debated, judged or scored.

    `gold` and `choices` belong to questions, as do further right answers, `accepted`.  `source` and
    `licence` say where it comes from and on which terms, as far as known.  `images` are the paths
    of files, bytes or Images: they are read when the subject is made, and identified by what they
    hold.  `passage` is a text that the question is about, which only those seats read whose prompt
    holds `passage(subject)`.  `published`, no part of its identity, is the day on which it came
    out, as YYYY, YYYY-MM or YYYY-MM-DD.  Raises StudyError for an image that cannot be read, or is
    no PNG, JPEG, WebP or GIF, and for another kind of day.
    """

    text: str
    kind: Literal["motion", "question", "debate", "replies"] = "motion"
    gold: str | None = None
    choices: tuple[str, ...] = ()
    source: str | None = None
    licence: str | None = None
    accepted: tuple[str, ...] = ()
    images: tuple[Image, ...] = ()
    passage: str = ""
    published: str | None = None

    def __post_init__(self) -> None:
        if self.images != ():
            object.__setattr__(self, "images", read_images(self.images))
        if self.published is not None:
            object.__setattr__(self, "published", read_day(self.published))

    def content(self) -> dict[str, object]:
        """Return the fields for ids, which must never change: a later one only where it is set."""
        # Fields of subclasses are no part of it: of a debate that is judged, the speeches.
        first = ("text", "kind", "gold", "choices", "source", "licence")
        content: dict[str, object] = {name: getattr(self, name) for name in first}
        if self.accepted:
            content["accepted"] = self.accepted
        if self.images:
            content["images"] = [image.hash for image in self.images]
        if self.passage:
            content["passage"] = self.passage
        return content


def read_day(day: str) -> str:
    """Return a day as it was given, YYYY, YYYY-MM or YYYY-MM-DD; StudyError for any other text."""
    if isinstance(day, str) and DAY.fullmatch(day):
        try:
            date.fromisoformat(day + "-01" * (2 - day.count("-")))
        except ValueError:
            pass
        else:
            return day
    raise StudyError(
        f"a subject was published on a day such as 2024-05-31, 2024-05 or 2024; found {day!r}"
    )
