"""Read how long models reasoned before they answered, beside their confidence."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import nan

import duckdb
import numpy as np

from analysis.statistics.clustered import Array, Codes, Mask

# The first call of a turn: a re-ask for an unreadable part reasons about nothing.
REPLIES = """
    with called as (
        select episode, seat, step, tokens_reasoning, tokens_out from calls
        where ask = 0 and status in ('ok', 'cached')
        qualify row_number() over (partition by episode, seat, step order by started_at desc) = 1)
    select e.study, e.arm, e.subject, coalesce(list_contains(t.flags, $flag), false) as unknown,
           a.correct::double as correct, a.confidence,
           c.tokens_reasoning::double as tokens_reasoning, c.tokens_out::double as tokens_out
    from episodes e join latest_turns t using (episode)
    left join called c using (episode, seat, step)
    left join latest_answers a on a.episode = e.episode and a.final
    where e.protocol = 'thinking_out_loud' and e.status = 'done' and t.phase = 'answer'
      and ($study is null or e.study = $study)
    order by e.study, e.arm, e.subject, e.episode
"""
DOES_NOT_KNOW = "does not know"


@dataclass(frozen=True, slots=True)
class ThoughtReplies:
    """N replies of one arm, all (N,).

    `unknown` says that the author does not know; `correct` and `confidence` are nan where there is
    none; `length` is in `unit`: "reasoning tokens" if every reply has their number, else "tokens".
    """

    study: str
    arm: str
    question: Codes
    unknown: Mask
    correct: Array
    confidence: Array
    length: Array
    unit: str


def read_thinking(
    con: duckdb.DuckDBPyConnection, study: str | None
) -> dict[str, tuple[ThoughtReplies, ...]]:
    """Return the replies of thinking_out_loud, by study and then arm."""
    rows = con.execute(REPLIES, {"study": study, "flag": DOES_NOT_KNOW}).fetchall()
    groups: defaultdict[tuple[str, str], list[tuple[object, ...]]] = defaultdict(list)
    for own, arm, *row in rows:
        groups[own, arm].append(tuple(row))
    found: defaultdict[str, list[ThoughtReplies]] = defaultdict(list)
    for (own, arm), some in groups.items():
        subjects, unknown, *numbers = zip(*some, strict=True)
        correct, confidence, reasoning, written = (
            np.array([nan if each is None else each for each in column], dtype=np.float64)
            for column in numbers
        )
        _, question = np.unique(np.array(subjects, dtype=np.str_), return_inverse=True)
        # Some providers count reasoning apart; of others the whole reply is the nearest there is.
        counted = not np.isnan(reasoning).any() and bool((reasoning > 0).any())
        length, unit = (reasoning, "reasoning tokens") if counted else (written, "tokens")
        found[own].append(
            ThoughtReplies(
                own,
                arm,
                question.astype(np.int64),
                np.array(unknown, dtype=np.bool_),
                correct,
                confidence,
                length,
                unit,
            )
        )
    return {own: tuple(each) for own, each in found.items()}
