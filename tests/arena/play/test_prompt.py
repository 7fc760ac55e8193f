"""Faces of turns in prompts: who may see what."""

from __future__ import annotations

import pytest

from arena.errors import LeakError
from arena.play.prompt import NO_SPEECH, PromptPart, build_prompt, own, rated
from arena.types import Seat, Turn
from tests.fake_agents import agent

PRO, OPP = Seat("proposition", agent()), Seat("opposition", agent())
TURN = Turn("e", "proposition", 0, "opening", 0, "raw", "hear me", "I may lose", 0.25, "read")


def words(prompt: object, seat: Seat, episode: str = "e") -> str:
    return build_prompt(prompt, seat, episode).messages[-1].content  # type: ignore[arg-type]


def test_a_turn_shows_its_public_face_to_everybody() -> None:
    assert (
        words(["They said: ", TURN], OPP)
        == "They said: hear me"
        == words(["They said: ", [TURN]], PRO)
    )


def test_the_own_face_adds_thoughts_and_rating_for_the_author() -> None:
    assert (
        words(own(TURN), PRO) == "hear me\n[private thoughts: I may lose]\n[rating: 25 out of 100]"
    )


@pytest.mark.parametrize(("seat", "episode"), [(OPP, "e"), (PRO, "another episode")])
def test_the_own_face_leaks_to_nobody_else(seat: Seat, episode: str) -> None:
    with pytest.raises(LeakError, match="private face"):
        build_prompt(own(TURN), seat, episode)


def test_the_rated_face_needs_an_author_who_was_told() -> None:
    with pytest.raises(LeakError, match="public_rating=True"):
        build_prompt(rated(TURN), OPP, "e")
    told = Turn(
        "e",
        "proposition",
        0,
        "opening",
        0,
        "raw",
        "hear me",
        "I may lose",
        0.25,
        "read",
        rating_public=True,
    )
    assert words(rated(told), OPP) == "hear me\n[rating: 25 out of 100]"
    assert "lose" not in words(rated(told), OPP)


def test_what_could_not_be_read_is_marked_as_ours() -> None:
    silent = Turn("e", "proposition", 0, "opening", 0, "raw", None)
    assert words(silent, OPP) == NO_SPEECH
    assert words(own(silent), PRO) == f"{NO_SPEECH}\n[rating: none could be read]"


def test_a_turn_cannot_slip_into_a_format_string() -> None:
    with pytest.raises(TypeError, match="put the turn itself into the prompt"):
        f"{TURN}"
    with pytest.raises(TypeError):
        str(TURN)
    assert "lose" not in repr(TURN)
    assert "hear" not in repr(TURN)


def test_parts_point_at_turns_and_hold_text_once() -> None:
    parts = build_prompt(["a", own(TURN)], PRO, "e").parts
    assert parts == (
        PromptPart(text="a"),
        PromptPart(episode="e", seat="proposition", step=0, face="own"),
    )


def test_anything_else_in_a_prompt_is_named() -> None:
    with pytest.raises(TypeError, match="found int"):
        build_prompt(["a", 3], PRO, "e")  # type: ignore[list-item]


def test_the_system_prompt_comes_first_where_there_is_one() -> None:
    seat = Seat("judge", type(PRO.agent)("j", PRO.agent.model, system="be fair"))
    assert [message.role for message in build_prompt("x", seat, "e").messages] == ["system", "user"]
    assert [message.role for message in build_prompt("x", PRO, "e").messages] == ["user"]
