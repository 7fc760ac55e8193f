"""Faces of turns in prompts: who may see what."""

from __future__ import annotations

import pytest

from arena.errors import LeakError, ProtocolError
from arena.images import Image
from arena.play.prompt import (
    NO_SPEECH,
    Chat,
    Piece,
    PromptPart,
    ShownTurn,
    build_prompt,
    chat,
    chat_of,
    own,
    rated,
    spoken,
    verbatim,
)
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


PICTURE = Image(b"\x89PNG\r\n\x1a\n")


def messages(prompt: Chat, seat: Seat = PRO) -> list[tuple[str, str]]:
    return [(each.role, each.content) for each in build_prompt(prompt, seat, "e").messages]


def test_in_a_chat_a_seats_own_turns_are_messages_of_the_assistant() -> None:
    """What stands beside other parts, or was said by somebody else, is one of the user."""
    asked = chat(["Motion.", verbatim(TURN), ["They said: ", TURN], "", "Now answer."])
    merged = "They said: hear me\n\nNow answer."
    assert messages(asked) == [("user", "Motion."), ("assistant", "raw"), ("user", merged)]
    heard = chat(["Motion.", TURN, "Now answer."])
    assert messages(heard, OPP) == [("user", "Motion.\n\nhear me\n\nNow answer.")]
    wrapped = chat(["Motion.", spoken("<speech>", TURN, "</speech>"), own(TURN), "Go on."])
    assert messages(wrapped)[1] == (
        "assistant",
        "<speech>hear me</speech>\n\n" + words(own(TURN), PRO),
    )


def test_a_stored_chat_is_built_again_with_the_same_messages() -> None:
    for prompt in (
        chat(["a", verbatim(TURN), [PICTURE, "b"], [TURN, "c"]]),
        chat([["a", PICTURE, "b"], spoken("x", TURN), own(TURN), "end"]),
    ):
        built = build_prompt(prompt, PRO, "e")
        assert built.roles is not None
        pieces: list[Piece] = []
        for part in built.parts:
            shown = ShownTurn(TURN, part.face) if part.face else PICTURE
            pieces.append(shown if part.text is None else part.text)
        again = build_prompt(chat_of(pieces, built.roles), PRO, "e")
        assert (again.messages, again.parts) == (built.messages, built.parts)


@pytest.mark.parametrize("items", [[], [""], [TURN, "x"], ["x", TURN], ["x", spoken("y")]])
def test_a_chat_begins_and_ends_with_what_a_seat_is_told(items: list[object]) -> None:
    with pytest.raises(ProtocolError, match="message of a chat is what proposition is told"):
        build_prompt(chat(items), PRO, "e")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "prompt",
    [
        ["x", chat(["y"])],
        chat(["x", chat(["y"])]),  # type: ignore[list-item]  # a slip
        [spoken("x")],
        chat([verbatim(TURN)]),
    ],
)
def test_a_chat_is_a_whole_prompt(prompt: object) -> None:
    with pytest.raises((TypeError, LeakError)):
        build_prompt(prompt, OPP, "e")  # type: ignore[arg-type]


def test_images_stand_at_their_places_and_identify_a_request() -> None:
    (message,) = build_prompt(["A ", PICTURE, "cat", PICTURE], PRO, "e").messages
    assert [*message.pieces()] == ["A ", PICTURE, "cat", PICTURE]
    assert message.identity() == {
        "role": "user",
        "content": "A cat",
        "images": [[2, PICTURE.hash], [5, PICTURE.hash]],
    }
    with pytest.raises(TypeError, match="goes into a message of the user"):
        build_prompt(chat(["x", spoken(PICTURE), "y"]), PRO, "e")


def test_an_empty_prefill_is_none() -> None:
    built = build_prompt("a", PRO, "e", prefill=["", ""])
    assert built == build_prompt("a", PRO, "e")
    assert build_prompt("a", PRO, "e", prefill=["", "b"]).prefill
