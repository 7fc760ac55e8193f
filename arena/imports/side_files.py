"""Import what lies beside the published debates: labels of private reasoning, token counts, costs.

Of arXiv 2505.19184: `bet_analysis_results_*.json` has one model's labels of the private thoughts
against the bet, for the configurations that the file names tell; each debate file counts tokens by
model, both sides of a self-debate together; `model_token_usage_and_cost.json` adds them up with
dollars, and `debate_models.json` has the prices.  Values stay as published.  Labels become rows of
`label_entries`, numbers rows of `published_numbers`: they are no calls of ours.

Left out: logs, tables that repeat the debates (CSV), and labels that name no debate of the folder
with the same thoughts and bet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from analysis.read.private_reasoning import (
    CONFIDENCE,
    DEGREE,
    DIRECTION,
    NUMBER_STATED,
    STRATEGIC,
)
from arena.imports.published import (
    PHASES,
    SOURCE,
    Published,
    PublishedPlay,
    SideFile,
)
from arena.text import writable
from arena.types import READ

# The labels do not say who made them; the program that did asked this model alone.
LABELLER = "google/gemini-2.0-flash-001"
# Labels have no time: a fixed one keeps their keys the same in every import.
UNKNOWN_TIME = datetime(1970, 1, 1)
# Names of our own: the published pairs have none.
PRICES = ("usd_per_million_prompt_tokens", "usd_per_million_completion_tokens")
FAILED = "no label, since the labeller failed"
NO_DEBATE = "of no such turn in the folder"
TWICE = "of a turn that the file had labelled before"

Row = tuple[str, dict[str, Any]]


class Alignment(Published):
    """What the labeller said of one bet against the thoughts behind it."""

    numeric_confidence_present: bool | None = None
    internal_confidence: str | None = None
    assessment: str
    degree: str | None = None
    explanation: str = ""


class Strategic(Published):
    """Whether the thoughts weigh how to bet."""

    present: str | None = None


class Analysis(Published):
    """Both parts of a label; one that failed has neither."""

    betting_alignment: Alignment | None = None
    strategic_betting: Strategic | None = None


class LabelEntry(Published):
    """One label: of which turn it is, the bet and thoughts that were labelled, and the words."""

    debate_id: str
    side: str
    speech_type: str
    raw_bet_amount: float | None = None
    raw_thoughts: str = ""
    analysis: Analysis


@dataclass(frozen=True, slots=True)
class SideRows:
    """Rows of the side files, with counts for the summary.

    `labels` counts labelled turns, `left_out` labels by the reason, `counted` debates with counts
    of tokens, `files` what was read.
    """

    rows: list[Row]
    labels: int
    left_out: Counter[str]
    counted: int
    files: tuple[str, ...]


def side_rows(
    plays: Mapping[str, PublishedPlay], sides: Iterable[SideFile], stored: Collection[str]
) -> SideRows:
    """Return the rows of labels and numbers that are not among the `stored` items."""
    counts = [
        row for play in plays.values() for row in count_rows(play) if play.episode not in stored
    ]
    counted = len({row["episode"] for _, row in counts})
    turns = turns_by_stem(plays.values())
    labelled: set[str] = set()
    left_out: Counter[str] = Counter()
    labels: list[Row] = []
    numbers: list[Row] = []
    files = []
    for side in sides:
        files.append(side.name)
        if side.kind == "labels":
            labels += label_rows(side, turns, labelled, stored, left_out)
        elif side.name not in stored:
            numbers += price_rows(side) if side.kind == "prices" else cost_rows(side)
    items = sum(row["question"] == DIRECTION for _, row in labels)
    return SideRows([*counts, *labels, *numbers], items, left_out, counted, tuple(files))


class TurnItem(NamedTuple):
    """A turn as an item of `label_entries`."""

    episode: str
    seat: str
    step: int

    @property
    def name(self) -> str:
        """Its name there."""
        return f"{self.episode}/{self.seat}/{self.step}"


Turns = dict[tuple[str, str, str], list[tuple[TurnItem, float | None, str]]]


def turns_by_stem(plays: Iterable[PublishedPlay]) -> Turns:
    """Return the items, bets and thoughts of turns by (file stem, side, phase)."""
    turns: Turns = {}
    for play in plays:
        for bet in play.debate.debator_bets or ():
            step = PHASES[play.study].index(bet.speech_type)
            item = TurnItem(play.episode, bet.side, step)
            key = play.stem, bet.side, bet.speech_type
            turns.setdefault(key, []).append((item, bet.amount, bet.thoughts))
    return turns


def label_rows(
    side: SideFile,
    turns: Turns,
    labelled: set[str],
    stored: Collection[str],
    left_out: Counter[str],
) -> Iterator[Row]:
    """Yield the rows of one file of labels; `left_out` counts the others by reason.

    A second file that labels the same turns is of another rater, who is named after the file.
    """
    own: set[str] = set()
    for entry in side.content if isinstance(side.content, list) else ():
        try:
            label = LabelEntry.model_validate(entry)
        except ValidationError:
            left_out["no label that can be read"] += 1
            continue
        alignment = label.analysis.betting_alignment
        # One turn has one bet, or the same one twice, or the file is of another debate's name.
        fitting = [
            item
            for item, amount, thoughts in turns.get(
                (label.debate_id, label.side, label.speech_type), ()
            )
            if (amount, thoughts) == (label.raw_bet_amount, label.raw_thoughts)
        ]
        if not fitting or alignment is None:
            left_out[FAILED if fitting else NO_DEBATE] += 1
            continue
        item = fitting[-1]
        if item.name in own:
            left_out[TWICE] += 1
            continue
        rater = f"{LABELLER} ({side.name})" if item.name in labelled else LABELLER
        own.add(item.name)
        if item.name not in stored:
            yield from entry_rows(side, label, alignment, item, rater)
    labelled.update(own)


def entry_rows(
    side: SideFile, label: LabelEntry, alignment: Alignment, item: TurnItem, rater: str
) -> Iterator[Row]:
    """Yield one row for each question that a label answers, in the published words."""
    strategic = label.analysis.strategic_betting
    stated = alignment.numeric_confidence_present
    answers = {
        DIRECTION: alignment.assessment,
        CONFIDENCE: alignment.internal_confidence,
        DEGREE: alignment.degree,
        NUMBER_STATED: None if stated is None else str(stated).lower(),
        STRATEGIC: strategic.present if strategic else None,
    }
    for question, value in answers.items():
        if value is not None:
            yield (
                "label_entries",
                {
                    "item": item.name,
                    "kind": "turn",
                    "episode": item.episode,
                    "seat": item.seat,
                    "step": item.step,
                    "question": question,
                    "rater": writable(rater),
                    "value": writable(value),
                    "note": writable(alignment.explanation) if question == DIRECTION else None,
                    "source": SOURCE,
                    "source_hash": side.digest,
                    "imported_at": UNKNOWN_TIME,
                },
            )


def count_rows(play: PublishedPlay) -> Iterator[Row]:
    """Yield the counts of calls and tokens of one debate, by model and role."""
    counts = {"debater": play.debate.debator_token_counts, "judge": play.debate.judge_token_counts}
    for role, by_model in counts.items():
        for model, numbers in by_model.items() if isinstance(by_model, dict) else ():
            yield from number_rows(play.episode, play.episode, model, role, numbers)


def cost_rows(side: SideFile) -> Iterator[Row]:
    """Yield the sums of tokens and dollars over all debates, by model and of all models."""
    content = side.content if isinstance(side.content, dict) else {}
    for model, numbers in as_mapping(content.get("model_stats")).items():
        yield from number_rows(side.name, None, model, "debater", numbers)
    summary = as_mapping(content.get("summary"))
    totals = {**summary, **as_mapping(summary.get("grand_totals"))}
    # A list of models, and the totals themselves, are no number.
    plain = {name: value for name, value in totals.items() if not isinstance(value, list | dict)}
    yield from number_rows(side.name, None, "", "debater", plain)


def price_rows(side: SideFile) -> Iterator[Row]:
    """Yield the published prices, a pair for each model."""
    for model, pair in as_mapping(side.content).items():
        if isinstance(pair, list) and len(pair) == len(PRICES):
            prices = dict(zip(PRICES, pair, strict=True))
            yield from number_rows(side.name, None, model, "debater", prices)


def number_rows(
    item: str, episode: str | None, model: str, role: str, numbers: object
) -> Iterator[Row]:
    """Yield a row for each number; what is none has no value, and says so."""
    for name, value in as_mapping(numbers).items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        yield (
            "published_numbers",
            {
                "item": item,
                "episode": episode,
                "model": writable(model),
                "role": role,
                "name": writable(name),
                "value": float(value) if is_number and abs(value) < 1e15 else None,
                "status": READ if is_number else f"no number: {writable(repr(value)[:40])}",
                "source": SOURCE,
            },
        )


def as_mapping(value: object) -> dict[str, Any]:
    """Return an object of JSON as it is, and an empty one for anything else."""
    return value if isinstance(value, dict) else {}
