"""Let a run know of the calls of the last minute, which an earlier run of the store has made.

So the limits of requests and tokens a minute hold when a run is killed and begun again at once, and
from one stage of a tournament to the next.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

from arena.calls.rate_limits import FIRST_REPLY_TOKENS, RateLimiter
from arena.calls.windows import MINUTE_S
from arena.store.database import select_rows
from arena.text import utc_now

# A call whose tokens are not known counts as the longest of its model.
LAST_MINUTE = f"""
    with latest as (
        select model, started_at, tokens_in + tokens_out as tokens
        from (select * from call_starts where started_at > $1)
        left join (select * from call_ends where started_at > $1)
            using (episode, seat, step, ask, run, attempt, started_at)
        join seats using (episode, seat)
        where list_contains($2, model))
    select model, started_at,
           coalesce(tokens, max(tokens) over (partition by model), {FIRST_REPLY_TOKENS})::double
    from latest order by started_at
"""


def count_last_minute(limiter: RateLimiter, path: Path, models: Collection[str]) -> None:
    """Note the calls of the last minute in the windows of a limiter, before its first call."""
    limited = sorted(each for each in models if limiter.has_windows(each))
    if not limited or not path.exists():
        return
    now = utc_now()
    since = now - timedelta(seconds=MINUTE_S)
    for model, started_at, tokens in select_rows(path, LAST_MINUTE, [since, limited]):
        limiter.note_earlier(model, (now - started_at).total_seconds(), tokens)
