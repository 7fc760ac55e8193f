"""Keys from a file go into the environment, and are repeated nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agents import model
from agents.providers.keys import keys_not_needed, load_keys
from arena.errors import StudyError
from tests.provider_faults import KEY

NAMES = ("PLANTED_ONE_API_KEY", "PLANTED_TWO_API_KEY", "PLANTED_THREE_API_KEY")


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, " ")


def file_of(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_lines_are_read_with_comments_export_and_quotes(tmp_path: Path) -> None:
    text = (
        f"# mine\n\nPLANTED_ONE_API_KEY={KEY}\n export PLANTED_TWO_API_KEY = '{KEY}2'"
        f' \r\nPLANTED_THREE_API_KEY="a=b"\n'
    )
    assert load_keys(file_of(tmp_path, text)) == list(NAMES)
    assert [os.environ[name] for name in NAMES] == [KEY, f"{KEY}2", "a=b"]


def test_what_the_environment_has_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAMES[0], "mine")
    assert load_keys(file_of(tmp_path, f"{NAMES[0]}={KEY}")) == [NAMES[0]]
    assert os.environ[NAMES[0]] == "mine"


@pytest.mark.parametrize(
    "line",
    [
        KEY,
        f"={KEY}",
        f"export {KEY}",
        f"1A={KEY}",
        f"A B={KEY}",
        "PLANTED_TWO_API_KEY=",
        f"PLANTED_TWO_API_KEY={KEY}é",
    ],
)
def test_another_line_is_told_by_its_number_alone_and_nothing_is_set(
    line: str, tmp_path: Path
) -> None:
    with pytest.raises(StudyError, match=r"line 2 .* is not NAME=value") as caught:
        load_keys(file_of(tmp_path, f"{NAMES[0]}={KEY}\n{line}\n"))
    assert KEY not in str(caught.value)
    assert os.environ[NAMES[0]] == " "


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(mode: int, tmp_path: Path) -> None:
    with pytest.raises(
        StudyError, match=rf"can be read by others \(mode {mode:o}\): run `chmod 600 "
    ):
        load_keys(file_of(tmp_path, f"{NAMES[0]}={KEY}\n", mode))


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(StudyError, match="cannot be read: "):
            load_keys(path)


@pytest.mark.parametrize(
    ("variable", "reference"),
    [
        ("OPENAI_API_KEY", "openai/gpt-4o-mini"),
        ("ANTHROPIC_API_KEY", "anthropic/claude-haiku-4-5"),
        ("ARENA_HTTP_API_KEY", "http/m@https://api.example.com/v1"),
    ],
)
def test_a_model_that_is_not_called_needs_no_key(
    variable: str, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable, raising=False)
    with keys_not_needed():
        assert model(reference).name == reference.partition("@")[0]
    with pytest.raises(StudyError, match="needs a key"):
        model(reference)
