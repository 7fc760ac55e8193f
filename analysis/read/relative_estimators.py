"""Make estimators of a study's comparisons: each way to rank all of its answers is one.

The score `relative_confidence` of a reply is its share of wins in its own comparisons; Elo,
TrueSkill and Bradley and Terry rank by those of all answers (statistics/relative_confidence.py).
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import numpy as np

from analysis.read.answers import fetch_columns
from analysis.statistics.clustered import Array
from analysis.statistics.relative_confidence import Method, relative_ranks, unit_range

NAME = "relative_confidence"
RANKED: tuple[Method, ...] = ("bradley_terry", "elo", "trueskill")
# In `reply_rows` and `sources` as `read_scores` has made them.  Replies that give the same answer
# share the comparisons of the first of them.
COMPARISONS = f"""
    with scored as (
        select f.source, s.scoring, r.reply, s.details,
               min(r.reply) over (partition by s.scoring) as compared
        from latest_scores s join reply_rows r using (episode, seat, step)
        join sources f on f.part = r.part and f.name = s.name
            and f.scoring_study = s.scoring_study and f.scoring_arm = s.scoring_arm
        where s.name = '{NAME}' and s.value is not null),
    wins as (
        select source, reply, compared, unnest(from_json(details->'wins', '["JSON"]')) as win
        from scored where reply = compared)
    select w.source, w.compared as first, r.reply as second, (win->>3)::double as score
    from wins w join reply_rows r on r.episode = win->>0 and r.seat = win->>1
        and r.step = (win->>2)::integer
    order by all
"""
SHARED = f"""
    select f.source, r.reply, min(r.reply) over (partition by s.scoring) as compared
    from latest_scores s join reply_rows r using (episode, seat, step)
    join sources f on f.part = r.part and f.name = s.name
        and f.scoring_study = s.scoring_study and f.scoring_arm = s.scoring_arm
    where s.name = '{NAME}' and s.value is not null order by all
"""


def relative_estimators(con: duckdb.DuckDBPyConnection) -> Mapping[int, Mapping[str, Array]]:
    """Return, by source and name, the ranks of all replies of the store, nan for those without.

    They lie between 0 and 1 within a source, and are no probabilities.
    """
    pairs, shared = fetch_columns(con, COMPARISONS), fetch_columns(con, SHARED)
    size = int(max(shared["reply"].max(initial=-1), pairs["second"].max(initial=-1))) + 1
    found: dict[int, dict[str, Array]] = {}
    for source in np.unique(pairs["source"]).tolist():
        mine, own = pairs["source"] == source, shared["source"] == source
        first, second = pairs["first"][mine], pairs["second"][mine]
        # Codes without gaps, since methods take time and memory by the number of answers.
        answers, codes = np.unique(np.concatenate((first, second)), return_inverse=True)
        one, two = np.split(codes.ravel().astype(np.int64), 2)
        score = pairs["score"][mine].astype(np.float64)
        found[source] = {}
        for method in RANKED:
            rank = np.full(size, np.nan)
            rank[answers] = unit_range(relative_ranks(one, two, score, answers.size, method=method))
            values = np.full(size, np.nan)
            values[shared["reply"][own]] = rank[shared["compared"][own]]
            found[source][f"{NAME}_{method}"] = values
    return found
