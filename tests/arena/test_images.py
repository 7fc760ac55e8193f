"""Images: what they are by their bytes, and what identifies them."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena.errors import StudyError
from arena.images import MOST_BYTES, Image, read_image
from arena.studies.motions import motions, subject_id
from arena.studies.questions import questions
from arena.types import Subject
from tests.pictures import png

PNG = png(b"a cat")
# With a small picture in a segment of its own.
JPEG = b"\xff\xd8\xff\xe1\0\x0asmall.\xff\xd9\xff\xff\xda\0\2 large \xff\xd9"
GIF = b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\1D\0;"
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 \4\0\0\0...."


@pytest.mark.parametrize(
    ("data", "kind"), [(PNG, "png"), (JPEG, "jpeg"), (GIF, "gif"), (WEBP, "webp")]
)
def test_bytes_say_what_an_image_is(tmp_path: Path, data: bytes, kind: str) -> None:
    """Not the name of its file; a path and the bytes are one image."""
    file = tmp_path / "picture.txt"
    file.write_bytes(data)
    assert read_image(data).media_type == f"image/{kind}"
    assert read_image(file) == read_image(str(file)) == read_image(data)
    assert read_image(data).data_uri.startswith(f"data:image/{kind};base64,")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"", "is empty, and is none of PNG, JPEG, WebP and GIF"),
        (b"<svg onload='x'/>", "is none of PNG, JPEG, WebP and GIF"),
        (b"RIFF....WAVE", "is none of PNG"),
        (PNG + bytes(MOST_BYTES), "providers take at most 3.9 MB an image; save it smaller"),
        ("missing.png", "'missing.png' cannot be read: No such file"),
        (7, "is the path of a file, its bytes, or an Image, not 7"),
    ],
)
def test_what_is_no_image_is_refused_in_a_sentence(source: object, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        Subject("Which?", images=(source,))  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [PNG, JPEG, GIF, WEBP])
def test_an_image_that_was_cut_is_refused_wherever_it_was_cut(data: bytes) -> None:
    for length in range(13, len(data)):
        with pytest.raises(StudyError, match="was cut"):
            read_image(data[:length])
    with pytest.raises(StudyError, match=r"begins as image/png and has no end \(8 bytes\)"):
        read_image(PNG[:8])
    # What a store holds is read all the same.
    assert Image(PNG[:8]).media_type == "image/png"


def test_a_path_alone_is_no_list_of_images() -> None:
    with pytest.raises(StudyError, match=r"write images=\('picture.png',\)"):
        Subject("Which?", images="picture.png")  # type: ignore[arg-type]


def test_images_are_part_of_a_subject_only_where_there_are_some() -> None:
    plain = Subject("Which?")
    assert "images" not in plain.content()
    one = Subject("Which?", images=[PNG])  # type: ignore[arg-type]
    assert one.images == (Image(PNG),)
    assert (
        len({subject_id(each) for each in (plain, one, Subject("Which?", images=(Image(GIF),)))})
        == 3
    )


def test_files_of_motions_and_questions_name_images_beside_them(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    file = tmp_path / "rows.jsonl"
    file.write_text(
        '{"question": "A cat?", "motion": "A cat.", "answer": "yes", "image": "cat.png"}\n'
        '{"question": "Cats?", "motion": "Cats.", "answer": "no", "images": ["cat.png", "cat.png"]}'
    )
    for read in (questions, motions):
        assert [subject.images for subject in read(file)] == [(Image(PNG),), (Image(PNG),) * 2]
    assert all(not subject.images for subject in questions(file, images=None))
    file.write_text(
        '{"question": "A cat?", "motion": "A cat.", "answer": "yes", "image": "no.png"}'
    )
    for read in (questions, motions):
        with pytest.raises(StudyError, match=r"rows.jsonl, row 1: the image .*no.png' cannot be"):
            read(file)
