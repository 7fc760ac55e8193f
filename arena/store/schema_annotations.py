"""The tables of what is said about plays from outside, as data: no run has played any of it.

These are registrations of studies and what departs from them, people's labels, and the numbers that
publications state.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A base table: its comment, the columns of its key, and {column: (type, comment)}."""

    comment: str
    key: tuple[str, ...]
    columns: dict[str, tuple[str, str]]


ANNOTATIONS: dict[str, TableSchema] = {
    "registrations": TableSchema(
        "One row is a plan of a study that `arena register` has frozen",
        ("hash",),
        {
            "hash": ("VARCHAR", "sha256 of content"),
            "study": ("VARCHAR", "the study"),
            "registered_at": ("TIMESTAMP", "UTC, as content says too"),
            "played_before": (
                "BIGINT",
                "episodes of the study that had begun by then, as content says too",
            ),
            # No JSON: DuckDB might write that otherwise, and the hash is one of the bytes.
            "content": ("VARCHAR", "the frozen plan, as JSON with sorted keys"),
        },
    ),
    "deviations": TableSchema(
        "One row is something in which a run came with another study than was registered",
        ("registration", "run", "part", "what"),
        {
            "registration": ("VARCHAR", "the hash of the registration"),
            "run": ("VARCHAR", "the run"),
            "part": ("VARCHAR", "what departs: prompts, readers, arms, ..."),
            "what": ("VARCHAR", "how it departs, in words"),
            "noted_at": ("TIMESTAMP", "UTC, when the run began"),
        },
    ),
    # A label is changed or withdrawn by a later entry, so that merging loses none.
    "label_entries": TableSchema(
        "One row is a person's judgement about a stored thing, as imported; the latest counts (see"
        " the view labels)",
        ("item", "question", "rater", "imported_at"),
        {
            "item": (
                "VARCHAR",
                "what was labelled: an episode, a turn as episode/seat/step, or an answer as"
                " episode/seat/answer/stage",
            ),
            "kind": ("VARCHAR", "episode, turn or answer"),
            "episode": ("VARCHAR", "the episode that it is, or belongs to"),
            "seat": ("VARCHAR", "who spoke or answered; NULL for an episode"),
            "step": ("INTEGER", "the turn; NULL for an episode or an answer"),
            "stage": ("INTEGER", "the answer; NULL for an episode or a turn"),
            "question": (
                "VARCHAR",
                "what was asked about it: winner, correct, or a name of the labels' own",
            ),
            "rater": ("VARCHAR", "who judged: a name or code of a person, or of a program"),
            "value": ("VARCHAR", "the judgement; NULL: an earlier one was withdrawn"),
            "note": ("VARCHAR", "the rater's remark; NULL: none"),
            "probability": (
                "DOUBLE",
                "the chance with which a sheet drew the item, in (0, 1]; NULL: not drawn at random",
            ),
            "drawn": ("INTEGER", "how many items that sheet has; NULL: not drawn at random"),
            "source": ("VARCHAR", "the file's name, or the publication that it comes from"),
            "source_hash": ("VARCHAR", "sha256 of the file"),
            "imported_at": ("TIMESTAMP", "UTC"),
        },
    ),
    "published_numbers": TableSchema(
        "One row is a number that a publication states of a model, in one play or over all: as"
        " imported, and no call of ours",
        ("item", "model", "role", "name"),
        {
            "item": ("VARCHAR", "what the number is of: an episode, or the published file"),
            "episode": ("VARCHAR", "the episode; NULL: of the whole file"),
            "model": ("VARCHAR", "the model as published; empty: all models together"),
            "role": ("VARCHAR", "debater or judge, as published"),
            "name": ("VARCHAR", "what is counted, as published"),
            "value": ("DOUBLE", "the number; NULL: none that can be read"),
            "status": ("VARCHAR", "read, or why there is no number"),
            "source": ("VARCHAR", "the publication that it comes from"),
        },
    ),
}
