"""The view of people's labels: what counts of all that was imported, with study and arm."""

from __future__ import annotations

from arena.store.views.base import View

LABEL_VIEWS: dict[str, View] = {
    "labels": View(
        "One row is a rater's judgement about a stored thing: who won a debate, whether an answer"
        " is right, or a word of the raters' own about a play or turn",
        """
        select e.study, e.arm, l.*
        from (
            from label_entries
            qualify imported_at = max(imported_at) over (partition by item, question, rater)) l
        join episodes e using (episode)
        where l.value is not null
        """,
        {
            "value": "the judgement: proposition, opposition or tie for the question winner; right"
            " or wrong for correct; for other questions as it was given",
        },
    ),
}
