"""The forms of a debate: a transcript or a chat, tags or a schema, in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import pytest

from agents.scripted import ScriptedModel, scripted_model
from arena.play.memory import MemoryJournal, play_in_memory
from arena.studies.study import Arm, Study, plays
from arena.types import Agent, Model, Request, Subject
from protocols import laws
from protocols.debate import PRESETS, debate
from tests.pictures import png

PICTURE = png()
BEFORE = ("before", "opening", "rebuttal", "closing")


def reply(request: Request) -> str:
    """Reply in the form that is asked for, with words that no other turn has."""
    place = f"{request.place.seat} in {request.place.phase}"
    speech, thoughts = f"We say what {place} must say.", f"I fear what {place} must fear."
    if request.sampling.response_schema is not None:
        return json.dumps({"speech": speech, "thoughts": thoughts, "rating": 61})
    return f"<speech>{speech}</speech>\n<thoughts>{thoughts}</thoughts>\n<rating>61</rating>"


def play(
    options: Mapping[str, object], *, schema: bool = False, subject: Subject | None = None
) -> tuple[list[Request], MemoryJournal]:
    """Play a debate in memory; return what was asked, and the record."""
    asked: list[Request] = []

    def note(request: Request) -> str:
        asked.append(request)
        return reply(request)

    model = cast(ScriptedModel, scripted_model(note))
    if schema:
        model = replace(model, capabilities=model.capabilities | {"response_schema"})
    lineup = {side: Agent(side, cast(Model, model)) for side in ("proposition", "opposition")}
    study = Study("s", [Arm("x", debate, [lineup], options)], [subject or Subject("Cats?")])
    (one,) = plays(study)
    journal = MemoryJournal()
    asyncio.run(play_in_memory(one, journal))
    (status,) = journal.rows("statuses")
    assert status["status"] == "done", status
    return asked, journal


def seen(journal: MemoryJournal) -> set[tuple[Any, ...]]:
    """Return who was shown which turn of whom, and whether its public face or a private one."""
    return {
        (turn["seat"], turn["step"], part["seat"], part["step"])
        for turn in journal.rows("turns")
        for part in turn["prompt"]
        if part.get("seat")
    }


@pytest.mark.parametrize(
    "options",
    [
        *PRESETS.values(),
        {"opponent": "misplaced", "schedule": "sequential"},
        {"opponent": "unheard", "phases": BEFORE, "confidence": "public"},
    ],
)
def test_a_chat_shows_each_seat_the_turns_that_the_transcript_shows(
    options: dict[str, object],
) -> None:
    """Others' turns by their public or rated faces, its own in messages of the assistant."""
    _, transcript = play(options)
    asked, conversation = play(options | {"form": "chat"})
    assert seen(conversation) == seen(transcript)
    for turn in conversation.rows("turns"):
        for part, role in zip(turn["prompt"], turn["roles"], strict=True):
            if part.get("seat"):
                assert (role == "assistant") == (part["seat"] == turn["seat"])
                assert role == "assistant" or part["face"] in ("public", "rated")
    for request in asked:
        roles = [message.role for message in request.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]


def test_each_request_of_a_chat_begins_with_the_one_before_it() -> None:
    asked, journal = play({"form": "chat", "schedule": "sequential"})
    replies = {(turn["seat"], turn["step"]): turn["text"] for turn in journal.rows("turns")}
    by_place = {(each.place.seat, each.place.step): each.messages for each in asked}
    for (seat, step), messages in by_place.items():
        if step:
            before = by_place[seat, step - 1]
            assert messages[: len(before)] == before
            assert messages[len(before)].content == replies[seat, step - 1]


def test_a_schema_is_sent_where_it_is_served_and_tags_are_asked_for_elsewhere() -> None:
    """Both give the same reading; the paper's form, the default, sends none."""
    readings = []
    for served in (True, False):
        asked, journal = play({"replies": "schema"}, schema=served)
        assert {request.sampling.response_schema is not None for request in asked} == {served}
        assert all(("<speech>" in each.messages[-1].content) != served for each in asked)
        columns = ("seat", "step", "public", "thoughts", "confidence", "confidence_source")
        readings.append([[row[name] for name in columns] for row in journal.rows("turns")])
    assert readings[0] == readings[1]
    asked, _ = play({}, schema=True)
    assert {request.sampling.response_schema for request in asked} == {None}


@pytest.mark.parametrize("form", ["transcript", "chat"])
def test_both_sides_see_the_images_of_a_motion_and_nobody_elsewhere_does(form: str) -> None:
    subject = Subject("Is it a cat?", images=(PICTURE,))  # type: ignore[arg-type]
    asked, journal = play({"form": form, "opponent": "misplaced"}, subject=subject)
    for request in asked:
        shown = [len(message.images) for message in request.messages]
        here = " " not in request.place.seat
        assert shown == [int(here), *[0] * (len(shown) - 1)]
    hashes = [image.hash for image in subject.images]
    for turn in journal.rows("turns"):
        assert turn["images"] == (None if " " in turn["seat"] else hashes)


@pytest.mark.parametrize("options", [{"form": "chat"}, {"form": "chat", "memory": False}])
def test_the_laws_hold_for_a_chat(options: dict[str, object]) -> None:
    agents = (Agent(side, scripted_model(reply, side)) for side in ("proposition", "opposition"))
    laws.check(
        debate, dict(zip(("proposition", "opposition"), agents, strict=True)), options=options
    )
