"""Scores and asides hang on other plays: they go with these, and survive damage beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena.store.connection import attach_store
from arena.store.database import create, fold, journal_folder, query
from arena.store.forgetting import forget, select
from arena.store.journal import first_line, line
from arena.store.merge import merge
from arena.store.salvage import find_affected


def play(episode: str, study: str, **fields: object) -> list[bytes]:
    """A finished play, as a run writes it."""
    row = {"episode": episode, "study": study, "arm": "a", "protocol": "p", **fields}
    status = {"episode": episode, "run": study, "status": "done", "ended_at": "2026-11-27"}
    return [line("plays", row), line("statuses", status)]


def score(scoring: str, episode: str, step: int, value: float | None = 0.5) -> bytes:
    """A score of a turn."""
    place = {"scoring": scoring, "episode": episode, "seat": "solver", "step": step}
    status = "scored" if value is not None else "missing"
    return line("scores", {**place, "name": "length", "value": value, "status": status})


LINES = [
    *(line("runs", {"run": name, "study": name, "origin": "played"}) for name in ("q", "s", "x")),
    *play("answered", "q"),
    *play("kept", "q"),
    *play("scoring", "s"),
    *play("other", "s"),
    *play("aside", "x", parent="answered", parent_seat="solver", parent_step=0),
    score("scoring", "answered", 0),
    score("scoring", "answered", 1, None),
    score("other", "kept", 0),
]
ROWS = "select scoring, episode, step, value, status from scores order by all"


def stored(path: Path, *lines: bytes) -> Path:
    """A store with these lines in a journal."""
    create(path)
    (journal_folder(path) / "j-000.jsonl").write_bytes(b"".join((first_line(), *lines)))
    return path


def test_what_hangs_on_a_play_is_forgotten_with_it(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.duckdb", *LINES)
    assert len(query(path, "from latest_scores").rows) == 3
    fold(path)
    (journal_folder(path) / "j-000.jsonl").unlink()
    chosen = select(path, "q", "one", "episode = 'answered'", {})
    assert sorted(chosen.judgings) == ["aside", "scoring"]
    forget(path, chosen)
    assert query(path, ROWS).rows == (("other", "kept", 0, 0.5, "scored"),)
    assert query(path, "select episode from episodes order by 1").rows == (("kept",), ("other",))


def test_scores_are_merged_by_their_keys(tmp_path: Path) -> None:
    here = stored(tmp_path / "a.duckdb", *LINES[:-1])
    other = stored(tmp_path / "b.duckdb", *LINES)
    merge(here, other)
    assert query(here, ROWS).rows == query(other, ROWS).rows
    assert len(query(here, ROWS).rows) == 3


@pytest.mark.parametrize(("back", "scoring"), [(3, "scoring"), (2, "scoring"), (1, "other")])
def test_a_damaged_score_lets_its_scoring_be_played_again_and_no_other(
    tmp_path: Path, back: int, scoring: str
) -> None:
    """The play that was scored is whole, although the lines name it."""
    lines = [*LINES]
    lines[-back] = lines[-back].replace(b'"status"', b'"statum"')
    path = stored(tmp_path / "a.duckdb", *lines)
    journal = journal_folder(path) / "j-000.jsonl"
    with attach_store(path) as (con, _):
        left_out = find_affected(con, [journal])[journal]
    begins_or_ends = b'"episode":"%b"' % scoring.encode()
    # The journal's own first line is number 1.
    assert left_out == {
        number
        for number, text in enumerate(lines, 2)
        if begins_or_ends in text and b'"scores"' not in text
    }
