"""Learn from the stored calls of a model how many tokens its prompts have.

So the first calls of a second run are expected as they are, and neither go over a limit nor wait
for room that they do not need.  The script of a prompt is that of its words in the store: what a
turn adds in private is counted as if it were in the script of the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from arena.calls.prompt_tokens import bytes_by_script
from arena.calls.rate_limits import RateLimiter
from arena.store.database import select_rows
from arena.types import Message

# The ratios settle after some ten prompts of a script.
MOST_CALLS = 60

PROMPTS = f"""
    with latest as (
        select c.*, s.model, s.system from call_ends c join seats s using (episode, seat)
        where c.status = 'ok' and c.ask = 0 and c.tokens_in > 0 and c.prompt_bytes > 0
          and s.model in (select unnest($1))
        qualify row_number() over (partition by s.model order by c.started_at desc) <= {MOST_CALLS}
    ), parts as (
        select l.model, l.system, l.started_at, l.tokens_in, l.prompt_bytes, t.episode, t.seat,
               t.step, unnest(t.prompt) as part
        from latest l join turns t using (episode, seat, step)
    )
    select p.model, coalesce(p.system, ''), p.tokens_in, p.prompt_bytes,
           string_agg(coalesce(p.part.text, shown.public, ''), '')
    from parts p left join turns shown
      on shown.episode = p.part.episode and shown.seat = p.part.seat and shown.step = p.part.step
    group by p.model, p.system, p.started_at, p.tokens_in, p.prompt_bytes, p.episode, p.seat, p.step
    order by p.started_at
"""


def learn_from_store(limiter: RateLimiter, path: Path, models: Collection[str]) -> None:
    """Teach a limiter how many tokens prompts have, of those of these models that it limits.

    Models of which it knows something already are left out.
    """
    tokens = limiter.prompt_tokens
    unknown = [each for each in models if limiter.limits_tokens(each) and not tokens.knows(each)]
    if not unknown or not path.exists():
        return
    for model, system, tokens_in, prompt_bytes, words in select_rows(
        path, PROMPTS, [sorted(unknown)]
    ).rows:
        messages = [Message("user", words)]
        if system:
            messages.append(Message("system", system))
        tokens.learn(model, scaled(bytes_by_script(messages), prompt_bytes), tokens_in)


def scaled(sizes: Mapping[str, int], prompt_bytes: int) -> dict[str, int]:
    """Return bytes by script that add up to those of a prompt, in the same shares."""
    known = sum(size for name, size in sizes.items() if name != "messages")
    share = prompt_bytes / known if known else 0.0
    return {
        name: size if name == "messages" else round(share * size) for name, size in sizes.items()
    }
