"""One chain of thought."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.scripted import scripted_model
from arena.errors import StudyError
from arena.types import Agent
from protocols import laws
from protocols.single import options_for_calls, single
from tests.question_agents import CHOICE, QUESTION, box, by_seat, by_seed, final, others, play


def test_it_asks_once_and_reads_the_answer(tmp_path: Path) -> None:
    arena = play(tmp_path / "a.duckdb", single, by_seat({"solver": box("04")}))
    assert final(arena) == ("04", True, None)
    assert (others(arena), len(arena.sql("from calls"))) == ([], 1)


@pytest.mark.parametrize("question", [QUESTION, CHOICE])
def test_what_cannot_be_read_is_missing_and_never_wrong(tmp_path: Path, question: object) -> None:
    assert final(play(tmp_path / "a.duckdb", single, by_seat({}), question=question)) == (
        None,
        None,
        None,
    )  # type: ignore[arg-type]


def test_single_obeys_the_laws() -> None:
    laws.check(single, {"solver": Agent("s", scripted_model(by_seed))}, QUESTION)


def test_no_call_is_too_few() -> None:
    assert options_for_calls(1) == options_for_calls(100) == {}
    with pytest.raises(StudyError, match="too few"):
        options_for_calls(0)
