"""Replies as one JSON object: what is sent, what is read, and what is missing with its reason."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import pytest

from agents.scripted import ScriptedModel
from arena.play.reading import fill_gaps, read_reply
from arena.types import Agent, Reading, Reply, Sampling, Seat
from protocols.debate_prompts import schema_of
from protocols.parsing.chances import CHANCE_OF_LOSING
from protocols.parsing.tags import speech_and_confidence
from protocols.structured import read_object, serves_schema

SCHEMA = schema_of("opening", "private", "both")
ALL = {"speech": "In public.", "thoughts": "I may lose.", "rating": 62.5}


def read(reply: object, finish: str = "stop") -> Reading:
    """Read a reply, given as an object or as a text, as the kernel does."""
    text = reply if isinstance(reply, str) else json.dumps(reply)
    return read_reply(partial(read_object, schema=SCHEMA), Reply(text, finish_reason=finish), "a")


def test_an_object_gives_its_parts_in_the_order_of_the_schema() -> None:
    """Speech, private reasoning, number, as in tags; whatever stands around it."""
    schema = SCHEMA.json_schema()
    assert schema["required"] == list(ALL)
    assert schema["additionalProperties"] is False
    for text in (
        json.dumps(ALL),
        f"```json\n{json.dumps(ALL)}\n```",
        f"<think>x</think>{json.dumps(ALL)}",
    ):
        reading = read(text)
        assert (reading.public, reading.thoughts) == ("In public.", "I may lose.")
        assert (reading.confidence, reading.confidence_source) == (0.625, "stated and stake")
        assert (reading.missing, reading.reask, reading.flags) == ((), None, ())


@pytest.mark.parametrize(
    ("rating", "status"),
    [
        (101, "out of range"),
        (-5, "out of range"),
        (0.7, "ambiguous scale"),
        (True, "no number"),
        (None, "no number"),
        ([50], "no number"),
        (1e300, "no number"),
        ("at least 60", "several numbers"),
    ],
)
def test_a_number_is_checked_as_one_in_tags_is(rating: object, status: str) -> None:
    reading = read(ALL | {"rating": rating})
    assert (reading.confidence, reading.confidence_status) == (None, status)
    assert (reading.public, reading.missing) == ("In public.", ("confidence",))
    assert reading.reask is not None
    assert reading.reask.startswith('"rating" could not be read')


@pytest.mark.parametrize(
    "speech",
    ["", 7, "Yes.\n<thoughts>no</thoughts>", "Yes.\nPrivate thoughts: no", "Yes.\nRating: 60"],
)
def test_a_speech_is_public_by_the_same_rules_as_in_tags(speech: object) -> None:
    reading = read(ALL | {"speech": speech})
    assert reading.public is None
    assert reading.flags in (("tags inside the speech",), ("empty speech",))
    assert (reading.confidence, reading.missing) == (0.625, ("public",))


@pytest.mark.parametrize(
    ("text", "finish", "why"),
    [
        ('{"speech": "In pub', "length", "cut off"),
        (json.dumps(ALL), "content_filter", "filtered"),
        (json.dumps(ALL), "refusal", "refused"),
        ("I cannot do that.", "stop", "no JSON object"),
        ("<speech>a</speech><thoughts>b</thoughts><rating>60</rating>", "stop", "no JSON object"),
        ('{"speech": "a", "speech": "b", "thoughts": "c", "rating": 60}', "stop", "no JSON object"),
        ("[" * 5000, "stop", "no JSON object"),
    ],
)
def test_what_is_no_whole_object_is_missing_with_its_reason(
    text: str, finish: str, why: str
) -> None:
    """A tag is none either: where a schema was sent, the two are never mixed."""
    reading = read(text, finish)
    assert (reading.public, reading.confidence, reading.confidence_status) == (None, None, why)
    assert (reading.flags, reading.missing) == ((why,), ("public", "confidence"))


def test_an_object_that_was_whole_when_its_limit_came_is_read() -> None:
    assert read(ALL, "length").confidence == 0.625


def test_a_second_object_fills_the_gaps_of_the_first() -> None:
    first = read(ALL | {"rating": 500})
    merged = fill_gaps(first, read({"speech": "Another.", "thoughts": "x", "rating": 40}))
    assert (merged.public, merged.confidence, merged.missing) == ("In public.", 0.4, ())


def test_two_chances_and_a_rating_before_the_speech_have_schemas_of_their_own() -> None:
    two = schema_of("before", "private", "win_and_lose")
    assert two.json_schema()["required"] == ["thoughts", "win", "lose"]
    reading = read_object(json.dumps({"thoughts": "x", "win": 60, "lose": 30}), two)
    assert (reading.public, reading.confidence) == ("", 0.6)
    assert reading.measures == {CHANCE_OF_LOSING: 0.3}
    assert schema_of("closing", "none", "both").json_schema()["required"] == ["speech"]


def test_the_schema_goes_where_it_is_served_and_tags_are_read_elsewhere() -> None:
    model = ScriptedModel("m", lambda _: "x")
    tags = Seat("a", Agent("A", model, sampling=Sampling(max_tokens=9)))
    served = replace(
        tags,
        agent=replace(
            tags.agent, model=replace(model, capabilities=frozenset({"response_schema"}))
        ),
    )
    assert [serves_schema(seat) for seat in (tags, served)] == [False, True]
    sampling = SCHEMA.sampling(served)
    assert sampling is not None
    assert (sampling.max_tokens, sampling.response_schema) == (9, SCHEMA.json_schema())
    assert SCHEMA.sampling(tags) is None
    words = "<speech>In public.</speech><thoughts>x</thoughts><rating>62.5</rating>"
    for seat, reply in ((tags, words), (served, json.dumps(ALL))):
        reading = SCHEMA.reader(seat, speech_and_confidence)(Reply(reply))
        assert (reading.public, reading.confidence) == ("In public.", 0.625)
