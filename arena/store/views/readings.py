"""Views of turns, verdicts and answers by their latest reading.

`arena reread` reads stored replies anew; what it finds lies in tables of its own, since a replay
goes by the reading that was played.  Every view that analyses values reads these instead of
`turns`, `rulings` and `answers`, so that all numbers come from the same readings.
"""

from __future__ import annotations

from arena.store.schema import DERIVED, READING_COLUMNS
from arena.store.views.base import View

REREAD = ", ".join(f"r.{column} as {column}" for column in READING_COLUMNS)

READING_VIEWS: dict[str, View] = {
    # In two parts, since joins with a table that is empty, as it is in most stores, then move
    # nothing: a left join would copy every value of every turn.
    "latest_turns": View(
        "One row is a turn as it was read last: when it was played, or by `arena reread`",
        f"""
        from turns anti join readings using (episode, seat, step)
        union all by name
        select t.* replace ({REREAD}, {DERIVED["public_status"].replace("public", "r.public", 1)}
                            as public_status),
               r.reader_version
        from turns t join (
            from readings
            qualify read_at = max(read_at) over (partition by episode, seat, step)) r
        on r.episode = t.episode and r.seat = t.seat and r.step = t.step
        """,
    ),
    # The results of an episode belong together: they count from the same reading of it.
    "latest_rulings": View(
        "One row is a judge's verdict by the reading that counts: the one that was played, or the"
        " latest of `arena reread`",
        """
        from rulings anti join reread_rulings using (episode)
        union all by name
        select * exclude (read_at)
        from reread_rulings qualify read_at = max(read_at) over (partition by episode)
        """,
    ),
    "latest_answers": View(
        "One row is an answer by the reading and grading that count: those that were played, or"
        " the latest of `arena reread`",
        """
        from answers anti join reread_answers using (episode)
        union all by name
        select * exclude (read_at)
        from reread_answers qualify read_at = max(read_at) over (partition by episode)
        """,
    ),
}
