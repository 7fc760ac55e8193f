"""Tell when one of several addresses of a model was gone, and others took over.

The calls of a run go on then, so that nobody would notice that half of a cluster is down.  Models
state their absences (`Model.absences`, where a model has several addresses); a run says each death
and each return once, also where several models are at one address.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from arena.text import join_words
from arena.types import Model


def time_of_day() -> str:
    """Return the time as it is shown in sentences."""
    return time.strftime("%H:%M:%S")


@dataclass(slots=True)
class Absence:
    """A time in which one of the `addresses` of a model, `server`, was gone.

    `began` and `ended` are monotonic seconds, `since` and `until` the times of day; both ends are
    None as long as it is gone.  `others` took its episodes over.
    """

    server: str
    addresses: tuple[str, ...]
    began: float = field(default_factory=time.monotonic)
    since: str = field(default_factory=time_of_day)
    ended: float | None = None
    until: str | None = None
    others: tuple[str, ...] = ()

    def end(self) -> None:
        """Note that it has come back."""
        self.ended = time.monotonic()
        self.until = time_of_day()

    def end_with(self, other: Absence) -> None:
        """Note that it came back when another model found it so."""
        self.ended = other.ended
        self.until = other.until

    def __str__(self) -> str:
        gone = f"was gone from {self.since} to {self.until}" if self.until else ""
        gone = gone or f"is gone since {self.since}"
        return f"{self.server} {gone}; its episodes went on at {join_words(self.others)}"


def absences_of(model: Model) -> Sequence[Absence]:
    """Return the latest absence of each address of a model that was ever found gone."""
    absences: Sequence[Absence] = getattr(model, "absences", ())
    return absences


class Absences:
    """The absences of addresses during a run; `notes` gets a sentence for each change."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes
        self._began = time.monotonic()
        self._told: list[Absence] = []
        # By address.  Copies: each model of an address finds its death and return by itself.
        self._latest: dict[str, Absence] = {}

    def note(self, absences: Sequence[Absence]) -> None:
        """Tell what has changed, after an answer from one of the other addresses or of these."""
        gone = {absence.server for absence in absences if absence.ended is None}
        for absence in absences:
            known = self._latest.get(absence.server)
            if self._is_new(absence, known):
                there = (one for one in absence.addresses if one not in gone)
                others = tuple(one for one in there if one != absence.server)
                new = self._latest[absence.server] = replace(absence, others=others)
                self._told.append(new)
                self._notes.append(str(new) if new.ended else describe_death(new))
            elif known is not None and ends(absence, known):
                known.end_with(absence)
                away_s = (known.ended or 0.0) - known.began
                self._notes.append(
                    f"{known.server} is back since {known.until}, after {away_s:.0f} s: new"
                    " episodes go to it"
                )

    def _is_new(self, absence: Absence, known: Absence | None) -> bool:
        """Return whether an absence was not told of, and is none that ended before the run."""
        if known is None:
            return absence.ended is None or absence.ended > self._began
        return known.ended is not None and absence.began > known.ended

    def end_together(self, absences: Sequence[Absence], since_s: float) -> list[str]:
        """Return the addresses that came back from an outage of all, which another sentence names.

        `since_s` is when that began, in monotonic seconds.
        """
        back = [each for each in absences if each.ended is not None and each.ended > since_s]
        for absence in back:
            known = self._latest.setdefault(absence.server, replace(absence))
            known.end_with(absence)
        return [absence.server for absence in back]

    def sentences(self) -> Iterator[str]:
        """Yield what was gone during the run, a sentence for each address."""
        by_server: dict[str, list[Absence]] = {}
        for absence in self._told:
            by_server.setdefault(absence.server, []).append(absence)
        for absences in by_server.values():
            last = str(absences[-1])
            yield last if len(absences) == 1 else f"{last} ({len(absences)} times in this run)"


def ends(absence: Absence, known: Absence) -> bool:
    """Return whether this says that a known absence has ended."""
    return known.ended is None and absence.ended is not None and absence.ended > known.began


def describe_death(absence: Absence) -> str:
    """Say that an address is gone, and what becomes of its episodes."""
    return (
        f"{absence.server} is gone since {absence.since}: its episodes go on at"
        f" {join_words(absence.others)}, and it is asked again every few seconds"
    )
