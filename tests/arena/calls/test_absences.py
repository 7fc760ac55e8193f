"""One of several addresses is gone: its death and its return are said once each."""

from __future__ import annotations

import time
from dataclasses import replace

from agents.scripted import scripted_model
from arena.calls.absences import Absence, Absences
from arena.calls.outages import Outages
from arena.errors import UnreachableError

BOTH = ("http://a", "http://b")
NOW = time.monotonic()


def gone(server: str, began: float, ended: float | None = None) -> Absence:
    """An absence of so many seconds from now on."""
    until = None if ended is None else "09:12:17"
    end = None if ended is None else NOW + ended
    return Absence(server, BOTH, NOW + began, "09:12:03", end, until)


def test_a_death_and_a_return_are_said_once_by_all_models_at_an_address() -> None:
    notes: list[str] = []
    absences = Absences(notes)
    one, other = gone("http://a", 1), gone("http://a", 1.5)
    for _ in range(3):
        absences.note([one])
        absences.note([other])
    assert len(notes) == 1
    assert "http://a is gone since 09:12:03: its episodes go on at http://b" in notes[0]
    back = gone("http://a", 1, 15)
    # The other model has not asked there since.
    for _ in range(3):
        absences.note([back])
        absences.note([other])
    absences.note([gone("http://a", 1.5, 16)])
    assert notes[1:] == ["http://a is back since 09:12:17, after 14 s: new episodes go to it"]
    said = "http://a was gone from 09:12:03 to 09:12:17; its episodes went on at http://b"
    assert list(absences.sentences()) == [said]
    absences.note([gone("http://a", 20)])
    assert len(notes) == 3
    assert [text.endswith(" (2 times in this run)") for text in absences.sentences()] == [True]


def test_what_ended_before_a_run_is_not_told_and_what_lasts_is() -> None:
    notes: list[str] = []
    absences = Absences(notes)
    absences.note([gone("http://a", -9, -5)])
    assert not notes
    assert not list(absences.sentences())
    absences.note([gone("http://b", -9)])
    assert len(notes) == 1


def test_an_outage_of_all_addresses_is_told_as_one() -> None:
    outages = Outages({}, lambda: None)
    model = scripted_model(lambda request: "", name="m")
    first = gone("http://a", -2)
    object.__setattr__(model, "absences", [first])
    outages.note_answer(model)
    object.__setattr__(model, "absences", [first, gone("http://b", -1)])
    outages.note_gone(model, UnreachableError("nobody", server="http://a and http://b"))
    assert "http://a and http://b are gone since" in outages.notes[1]
    ended = replace(gone("http://b", -1), ended=time.monotonic() + 1, until="09:12:17")
    object.__setattr__(model, "absences", [first, ended])
    for _ in range(2):
        outages.note_answer(model)
    assert outages.notes[2:] == ["http://b is back after 0 s"]
    # Then the other one, which was told of before.
    object.__setattr__(model, "absences", [gone("http://a", -2, 2), ended])
    outages.note_answer(model)
    assert [text[:16] for text in outages.notes[3:]] == ["http://a is back"]
    waited, moved = outages.sentences()
    assert waited.startswith("http://a and http://b were gone from ")
    assert moved.startswith("http://a was gone from 09:12:03 to 09:12:17")
