"""Read what stands beside the ratings of debates: labels of private reasoning, tokens, dollars."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis.read.private_reasoning import PrivateLabels, read_labels
from analysis.read.selection import ALL, Selection, open_selected
from analysis.read.usage import StudyUsage, read_usage

VIEWS = ("episodes", "latest_turns", "calls")


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside the debates of one study; None: nothing."""

    labels: PrivateLabels | None = None
    usage: StudyUsage | None = None


NOTHING = Beside()


def read_beside(
    path: Path, study: str | None, selection: Selection = ALL, *, calls: bool
) -> dict[str, Beside]:
    """Return what stands beside the debates of each study that has any of it.

    With `calls` those of our own calls are counted, which takes a moment for a million of them.
    """
    with open_selected(path, selection, VIEWS) as (con, _):
        labels = read_labels(con, study)
        usage = read_usage(con, study, calls=calls, by=selection.by)
    return {name: Beside(labels.get(name), usage.get(name)) for name in sorted({*labels, *usage})}
