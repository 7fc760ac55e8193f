"""Read motions from a file, and offer six of our own to start with.

A file is JSON lines (one object a line), a JSON list, a CSV, TSV or Parquet table, or plain text
(one motion a line).  Objects have `motion` (or `text`), and may have `source`, `licence` and
`images` (or `image`): paths relative to the file; also `passage` and `published`.
Questions are in arena/studies/questions.py.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import orjson
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from arena.errors import StudyError
from arena.studies.image_columns import images_in
from arena.studies.material import is_material, material_motions
from arena.studies.rows import read_rows
from arena.types import Subject


class MotionRow(BaseModel):
    """A motion as a file states it."""

    # Fields that other tools put beside a motion are ignored.
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    text: str = Field(
        min_length=1, validation_alias=AliasChoices("motion", "text", "topic_description")
    )
    source: str | None = None
    licence: str | None = Field(default=None, validation_alias=AliasChoices("licence", "license"))
    images: object = Field(default=None, validation_alias=AliasChoices("images", "image"))
    passage: str = ""
    published: str | None = None


# Between several right answers in the table `subjects`.
SEVERAL = " | "

MOTIONS: tuple[Subject, ...] = tuple(
    Subject(text, source="peer-arena", licence="CC0-1.0")
    for text in (
        "This house would make public transport in cities free of charge and pay for it with a"
        " charge on driving.",
        "This house would require large research grants to set aside a fifth of their budget for"
        " replicating earlier results.",
        "This house would let citizens' assemblies, drawn by lot, put laws to a binding"
        " referendum.",
        "This house would ban advertising aimed at children under twelve in all media.",
        "This house would replace most school examinations by assessed project work.",
        "This house would give cities, rather than national governments, the power to admit workers"
        " from abroad.",
    )
)


def subject_id(subject: Subject) -> str:
    """Return the id of a subject: 20 hex digits of the sha256 of its content.

    The same words are the same subject everywhere.
    """
    content = orjson.dumps(subject.content())  # in the order of content()
    return hashlib.sha256(content).hexdigest()[:20]


def subject_row(subject: Subject) -> dict[str, object]:
    """Return a subject as the table `subjects` keeps it; several right answers stand in one text.

    Of a debate that is judged, the speeches are left out.
    """
    content = subject.content() | {"published": subject.published}
    content.pop("accepted", None)
    if subject.accepted and subject.gold is not None:
        content["gold"] = SEVERAL.join([subject.gold, *subject.accepted])
    return {name: value for name, value in content.items() if value not in (None, ())}


def motions(path: str | Path) -> tuple[Subject, ...]:
    """Read motions from a .jsonl, .json, .csv, .tsv, .parquet or .txt file, in its order.

    "material" names the motions of the package, "material:economy" those of a field of them.
    Raises StudyError if the file is missing, empty, unreadable, or if a row has no motion; the
    message names the row.
    """
    if is_material(path):
        return material_motions(str(path))
    file = Path(path)
    subjects = []
    for number, row in enumerate(read_rows(file, "motions"), 1):
        try:
            motion = MotionRow.model_validate(row)
        except ValidationError as error:
            raise StudyError(
                f"{file}, row {number}: {error.errors()[0]['msg']};"
                " a row needs a text in the field `motion`"
            ) from error
        source = motion.source or file.name
        try:
            images = images_in(motion.images, file.parent)
            subject = Subject(
                motion.text,
                source=source,
                licence=motion.licence,
                images=images,
                passage=motion.passage,
                published=motion.published,
            )
        except (ValueError, StudyError) as error:
            raise StudyError(f"{file}, row {number}: {error}") from error
        subjects.append(subject)
    return tuple(subjects)
