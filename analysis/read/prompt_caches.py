"""Read what share of the prompts providers' caches have served, and what that saved."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from analysis.read.selection import ALL, Selection, open_selected

# Models whose provider counts cached tokens, but has kept nothing, need no row.
SERVED = """
    select study, coalesce(model, 'unknown'), calls, tokens_in, tokens_cached,
           tokens_cache_written, share_cached, cache_saved_usd
    from prompt_caches
    where ($study is null or study = $study)
      and (tokens_cached > 0 or tokens_cache_written > 0)
"""


@dataclass(frozen=True, slots=True)
class PromptCacheRow:
    """What a model's prompts met in its provider's cache, in tokens; `share` lies in [0, 1].

    `written` is None if the provider did not count it, `saved_usd` if there is no price; it lies
    below 0 where writing cost more than reading saved.
    """

    model: str
    calls: int
    tokens_in: int
    cached: int
    written: int | None
    share: float
    saved_usd: float | None


def read_prompt_caches(
    path: Path, study: str | None = None, selection: Selection = ALL
) -> dict[str, tuple[PromptCacheRow, ...]]:
    """Return the rows of each study whose prompts a cache has served or taken in part.

    All attempts of a study count, also of episodes that a selection leaves out, since they were
    paid for.  Raises StoreError if the store cannot be read.
    """
    with open_selected(path, selection) as (con, _):
        rows = con.execute(SERVED, {"study": study}).fetchall()
    found: defaultdict[str, list[PromptCacheRow]] = defaultdict(list)
    for name, *row in rows:
        found[name].append(PromptCacheRow(*row))
    return {name: tuple(each) for name, each in found.items()}
