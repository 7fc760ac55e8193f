"""Summarise a run in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from arena.calls.estimate import CostEstimate, describe_estimate
from arena.text import describe_cost, html_notes, html_table


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of a run.

    Episodes are counted over the whole study: done, failed and open, of `planned`.  `others` are
    episodes that the store holds under this study's name and that are not in this plan.  `changed`
    are episodes that were done with another source of their protocol than today's.  `calls` counts
    the attempts of this run; tokens and dollars are theirs, and `unpriced` of them have no known
    cost.  `cached` replies came from earlier studies.  `expected` is the estimate before the run
    (None if all models are simulated).  `stopped` is the reason of an early end (a spent budget,
    too many unreadable turns, a model that refused its first call), and `remedies` are the ways to
    go on then.  `alarms` are sentences about models of which many turns cannot be read, agents
    that a provider answered by several models, and servers that were gone.
    `uncounted` earlier calls are in no budget, since they have neither a cost nor a worst case.
    `torn` counts journal lines that could not be read, and `damaged` those that were left out with
    --ask-damaged-again; `put_off` says why the journal is not folded yet.
    """

    study: str
    path: Path
    planned: int
    done: int
    failed: int
    replies: int
    replayed: int
    unreadable: int
    seconds: float
    others: int = 0
    changed: int = 0
    torn: int = 0
    damaged: int = 0
    put_off: str | None = None
    cached: int = 0
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    expected: CostEstimate | None = None
    stopped: str | None = None
    uncounted: int = 0
    alarms: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()

    @property
    def open(self) -> int:
        """Return how many episodes are still to be played."""
        return self.planned - self.done - self.failed

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """Return the counts as an HTML table, and the sentences below it."""
        first, *notes = str(self).splitlines()
        headings = ("study", "planned", "done", "failed", "open", "replies", "dollars")
        # Dollars of calls without a price are unknown, not nothing.
        dollars = "unknown" if self.unpriced else f"{self.cost_usd:.4f}"
        counts = (self.planned, self.done, self.failed, self.open, self.replies)
        table, _ = html_table(headings, [(self.study, *counts, dollars)])
        return table + html_notes([first, *notes])

    def __str__(self) -> str:
        text = (
            f"{self.study}: {self.done} of {self.planned} episodes done,"
            f" {self.failed} failed, {self.open} open;"
            f" {self.replies} replies in {self.seconds:.1f} s"
        )
        if self.replayed:
            text += f", {self.replayed} turns taken from the store"
        if self.cached:
            text += f", {self.cached} replies taken from earlier studies"
        if self.unreadable:
            text += f", {self.unreadable} turns unreadable after the re-ask"
        if self.expected is not None and self.calls:
            tokens = f"{self.tokens_in:,} tokens in, {self.tokens_out:,} out"
            cost = describe_cost(self.cost_usd, self.unpriced)
            text += f"\n{self.calls:,} calls, {tokens}, {cost}"
            text += f"; expected were {describe_estimate(self.expected)}"
        for alarm in self.alarms:
            text += f"\nalarm: {alarm}"
        if self.stopped:
            text += f"\nstopped: {self.stopped}"
        if self.uncounted:
            text += (
                f"\nnote: {self.uncounted} earlier calls of this study have no known cost,"
                " and are not counted in the budget"
            )
        if self.others:
            text += (
                f"\nnote: the study also holds {self.others} episodes that are not in this plan"
                " (other models, motions, options, repeats or versions); reports leave them out."
                " Keep plans apart by another name (-o name=NAME), or remove them with arena forget"
            )
        if self.changed:
            text += (
                f"\nnote: the protocol's source has changed since {self.changed} of these were"
                " played; raise its VERSION to play anew"
            )
        if self.torn:
            text += (
                f"\nnote: {self.torn} journal lines could not be read and were dropped:"
                " the torn end of a killed run, or a damaged disk"
            )
        if self.damaged:
            text += (
                f"\nnote: {self.damaged} damaged journal lines were left out, and the replies in"
                " them asked again; the damaged files are kept"
            )
        return text + (f"\nnot folded yet: {self.put_off}" if self.put_off else "")
