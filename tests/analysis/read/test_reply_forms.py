"""A report names the models that were asked in tags where a study asks for a schema."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from agents.scripted import ScriptedModel, scripted_model
from analysis.read.reply_forms import FORM, InTags, read_in_tags
from arena import Arena, Arm, Study, Subject
from arena.types import Agent
from protocols import structured
from protocols.debate import debate
from tests.protocols.test_debate_forms import reply


def test_the_form_is_that_of_prompts() -> None:
    assert structured.ReplySchema(()).form().strip().startswith(FORM)


@pytest.mark.slow
def test_who_was_asked_in_tags_is_named_where_a_schema_was_asked_for(tmp_path: Path) -> None:
    plain, served = (cast(ScriptedModel, scripted_model(reply, name)) for name in ("no", "yes"))
    served = replace(served, capabilities=served.capabilities | {"response_schema"})
    lineup = {"proposition": Agent("p", served), "opposition": Agent("o", plain)}
    arena = Arena(tmp_path / "a.duckdb")
    arms = [Arm(name, debate, [lineup], {"replies": name}) for name in ("schema", "tags")]
    arena.run(Study("s", arms, [Subject("Cats?")]))
    assert read_in_tags(arena.path) == {"s": (InTags(plain.name, 3, 3),)}
    report = arena.report("s")
    assert str(report).count("asked in tags in 3 of 3 turns") == 1
    said = report.json()[0]["in_tags"]
    assert said == [{"model": plain.name, "in_tags": 3, "turns": 3}]
