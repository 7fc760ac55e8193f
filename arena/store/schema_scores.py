"""The table of what estimators say about stored turns, as data."""

from __future__ import annotations

from arena.store.schema_annotations import TableSchema

# An episode whose memo hangs on another's turns: an aside asks a seat after its turn, a fork plays
# on from there with a change.
PARENT_COLUMNS = {
    "parent": ("VARCHAR", "the episode on whose turns this one hangs; NULL: it stands alone"),
    "parent_seat": ("VARCHAR", "the seat after whose turn it begins; NULL: it stands alone"),
    "parent_step": ("INTEGER", "the step of that turn; NULL: it stands alone"),
    "change": (
        "JSON",
        "what is otherwise than in `parent`; NULL: nothing, or it stands alone",
    ),
}
SCORES: dict[str, TableSchema] = {
    "scores": TableSchema(
        "One row is a number that an estimator gives to a stored turn, or the reason why it gives"
        " none (see the view latest_scores)",
        ("scoring", "episode", "seat", "step", "name"),
        {
            "scoring": ("VARCHAR", "the play of the estimator, which paid for it"),
            "episode": ("VARCHAR", "the play of the turn that was scored"),
            "seat": ("VARCHAR", "who spoke in that turn"),
            "step": ("INTEGER", "the seat's step"),
            "name": ("VARCHAR", "the estimator"),
            "value": ("DOUBLE", "the number, higher is surer; NULL: see status"),
            "kind": (
                "VARCHAR",
                "probability: it states in [0, 1] that the answer is right; score: only the order"
                " counts",
            ),
            "status": ("VARCHAR", "scored, or the reason why there is no value"),
            "samples": (
                "INTEGER",
                "how many stored replies were read for it, the scored one included",
            ),
            "details": (
                "JSON",
                "the answer string, readout and context used, what was truncated, features;"
                " NULL: nothing to say",
            ),
        },
    ),
}
