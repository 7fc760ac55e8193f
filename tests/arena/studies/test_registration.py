"""What is registered is frozen under a hash, and each part that departs from it is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import orjson
import pytest

from arena.studies.deposit import deposit_text
from arena.studies.registration import (
    SEATED,
    Analysis,
    Claim,
    DesignDraft,
    Plan,
    Registration,
    Stopping,
    compare,
    compare_analysis,
    compare_stopping,
    counting,
    label,
    read_registration,
    seated_words,
    shareable,
)

AT = datetime(2026, 11, 27, 4, 30)
# One value of every field that a design has, under one item of each part.
FIELDS = {
    "arms": ("protocol", "options", "lineup", "seats"),
    "protocols": ("version", "code", "imports"),
    "agents": ("model", "system prompt", "sampling", "weights", "function"),
    "subjects": ("text",),
    "repeats": (),
    "prompts": ("words",),
    "readers": ("code",),
    "graders": ("code",),
}


def design(
    changed: tuple[str, str] | None = None, added: str = ""
) -> dict[str, dict[str, dict[str, list[str]]]]:
    """A design with one item in each part, one field changed or one item added."""
    draft = DesignDraft()
    for part, names in FIELDS.items():
        for item in ("first", "second") if part == added else ("first",):
            draft.add(part, item)
            for name in names:
                draft.add(part, item, name, "other" if (part, name) == changed else "value")
    return draft.parts


def plan(**changes: object) -> Plan:
    """A plan with this design."""
    parts = design()
    first = Plan("s", "Why?", AT.isoformat(), 0, (), {"python": "3"}, 10, "seeds", parts, {}, {},
                 Analysis(claims=(Claim("rise", True, "It *rises*."),)), Stopping())  # fmt: skip
    return replace(first, **changes)  # type: ignore[arg-type]  # names of its fields


def stored(made: Plan, **row: object) -> Registration:
    """A registration as it is read from a row, some of whose values are others."""
    values = {
        "hash": made.hash,
        "study": made.study,
        "registered_at": datetime.fromisoformat(made.registered_at),
        "played_before": made.played_before,
        "content": made.content,
    }
    return read_registration(**{**values, **row})  # type: ignore[arg-type]  # as above


def test_a_design_departs_in_nothing_from_itself() -> None:
    assert compare(design(), design(), whole=True) == []
    assert compare(design(), design(), whole=False) == []


@pytest.mark.parametrize("field", [(part, name) for part, all_ in FIELDS.items() for name in all_])
def test_each_field_that_changes_is_named_and_nothing_else(field: tuple[str, str]) -> None:
    (found,) = compare(design(), design(changed=field), whole=True)
    assert found.part == field[0]
    assert "first" in found.what or "value" in found.what or "other" in found.what


@pytest.mark.parametrize("part", FIELDS)
def test_what_is_added_or_dropped_is_named(part: str) -> None:
    (added,) = compare(design(), design(added=part), whole=True)
    (dropped,) = compare(design(added=part), design(), whole=True)
    assert (added.part, dropped.part) == (part, part)
    assert ("added" in added.what, "dropped" in dropped.what) == (True, True)
    # What was not played yet may still come.
    assert compare(design(added=part), design(), whole=False) == []


def test_a_value_beside_the_registered_one_is_added_and_one_in_its_place_is_another() -> None:
    registered = {"arms": {"plain": {"lineup": ["a"]}}}
    for values, words in ((["a", "b"], "lineup added: b"), (["b"], "lineup: was a, is b")):
        found = {"arms": {"plain": {"lineup": values}}}
        for whole in (True, False):
            (each,) = compare(registered, found, whole=whole)
            assert words in each.what


@pytest.mark.parametrize("whole", [True, False])
def test_agents_of_one_name_that_trade_places_are_named(whole: bool) -> None:
    first, second = (
        seated_words("solver", {"agent": "bob", "model": "m", "system": words}, {})
        for words in ("Be brief.", "Doubt first.")
    )
    designs = []
    for words in ((first, second), (second, first)):
        draft = DesignDraft()
        draft.add("agents", "bob", "system prompt", "Be brief.")
        draft.add("agents", "bob", "system prompt", "Doubt first.")
        for arm, seat in zip(("control", "treated"), words, strict=True):
            draft.add("arms", arm, "lineup", "solver: bob")
            draft.add("arms", arm, SEATED, seat)
        designs.append(draft.parts)
    registered, swapped = designs
    assert compare(registered, registered, whole=whole) == []
    found = [str(each.what) for each in compare(registered, swapped, whole=whole)]
    assert found == [
        f"arm control, seats: was {first}, is {second}",
        f"arm treated, seats: was {second}, is {first}",
    ]
    # What is new of an agent is said once, of the agent.
    draft = DesignDraft()
    draft.add("agents", "bob", "system prompt", "Shout.")
    draft.add("arms", "control", "lineup", "solver: bob")
    draft.add("arms", "control", SEATED, "solver: bob (Shout.; settings 0)")
    found = [str(each.part) for each in compare(registered, draft.parts, whole=False)]
    assert found == ["agents"]


def test_fields_that_a_store_does_not_know_tell_nothing() -> None:
    played = {"agents": {"first": {"model": ["value"]}}}
    assert compare(design(), played, whole=False) == []


@pytest.mark.parametrize(
    "row",
    [
        {"content": plan(question="What did I find?").content},
        {"hash": "0" * 64},
        {"study": "t"},
        {"registered_at": AT - timedelta(days=1)},
        {"played_before": None},
        {
            "content": "{}",
            "hash": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        },
    ],
)
def test_a_registration_whose_row_was_changed_counts_for_nothing(row: dict[str, object]) -> None:
    assert stored(plan()).fault == ""
    changed = stored(plan(), **row)
    assert changed.fault
    assert counting([changed], None) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"design": {}},
        {"design": {**plan().design, "arms": {"plain": {}}}},
        {"analysis": Analysis(margin=7.0)},
        {"registered_at": "yesterday"},
        {"format": 2},
    ],
)
def test_a_plan_that_somebody_made_up_is_no_registration(changes: dict[str, object]) -> None:
    made = plan(**changes)
    row = {"hash": made.hash, "content": made.content}
    assert "cannot read it" in stored(plan(), **row).fault


def test_a_plan_is_the_same_after_it_is_stored() -> None:
    assert stored(plan()).plan == plan()


def test_the_newest_before_the_first_episode_counts_and_else_the_oldest() -> None:
    days = [AT + timedelta(days=day) for day in range(3)]
    found = [stored(plan(registered_at=day.isoformat())) for day in days]
    for began, day in ((None, 2), (AT + timedelta(days=1, hours=1), 1), (AT - timedelta(1), 0)):
        assert counting(found, began) == found[day]


def test_one_that_says_itself_that_episodes_had_begun_is_late() -> None:
    late = stored(plan(registered_at=(AT + timedelta(days=1)).isoformat(), played_before=3))
    assert counting([late, stored(plan())], None) == stored(plan())


def test_a_report_that_is_asked_for_otherwise_is_named() -> None:
    registered = Analysis(where="repeat = 0")
    assert compare_analysis(registered, registered) == []
    # What is claimed and how it is adjusted is not the report's to choose.
    assert compare_analysis(registered, replace(registered, claims=(), multiplicity="bh")) == []
    found = compare_analysis(registered, Analysis(by="model", arms=("a",), margin=0.03))
    assert [each.part for each in found] == ["exclusions"] * 3 + ["margins"]


@pytest.mark.parametrize(
    ("rule", "ended", "usd", "word"),
    [
        (Stopping(), 10, 0.0, ""),
        (Stopping(), 9, 0.0, "early"),
        (Stopping(), 11, 0.0, "past"),
        (Stopping(episodes=5), 5, 0.0, ""),
        (Stopping(episodes=5), 4, 0.0, "early"),
        (Stopping(episodes=5), 6, 0.0, "past"),
        (Stopping(usd=2.0), 10, 1.0, ""),
        (Stopping(usd=2.0), 9, 2.0, "early"),
        (Stopping(usd=2.0), 9, 2.5, "past"),
    ],
)
def test_stopping_early_or_going_on_is_named(
    rule: Stopping, ended: int, usd: float, word: str
) -> None:
    found = compare_stopping(plan(stopping=rule), ended, usd)
    assert [each.part for each in found] == ["stopping"] * bool(word)
    assert all(word in each.what for each in found)


def test_the_text_says_all_and_holds_no_path() -> None:
    draft = DesignDraft()
    draft.add("agents", "a", "model", "local//home/somebody/models/tiny")
    draft.add("arms", "plain", "options", {"data": "/home/somebody/secret plans/x.jsonl"})
    parts = {**plan().design, "agents": draft.parts["agents"]}
    text = deposit_text(plan(design=parts, played_before=2))
    assert "/home" not in orjson.dumps(draft.parts).decode() + text
    for words in ("local/tiny", plan(design=parts, played_before=2).hash, "AFTER 2 episodes",
                  "It *rises*.", "2026-11-27 04:30", "all 10 planned"):  # fmt: skip
        assert words in text


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        ("openai/gpt-5-mini", "openai/gpt-5-mini"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("</speech></rating>", "</speech></rating>"),
        ("and/or/else 1/2/3", "and/or/else 1/2/3"),
        ("local/~/m/tiny", "local/tiny"),
        (r"C:\Users\me\x.txt", "x.txt"),
        ("see file:///home/me/x", "see x"),
    ],
)
def test_paths_are_cut_to_their_last_name_and_nothing_else_is(text: str, shared: str) -> None:
    assert shareable(text) == shared


def test_a_fence_in_a_prompt_does_not_end_its_block() -> None:
    text = deposit_text(plan(first_prompts={"abc": "````\n## Claims"}))
    assert "`````text\n````\n## Claims\n`````" in text


def test_a_subject_with_another_image_is_named_by_its_image() -> None:
    fields = {"text": ["This house would look."], "images": ["0123456789abcdef" * 4]}
    assert label("5ab1", fields) == "This house would look. [image 0123456789ab]"
