"""Play a LeaP-shaped load on the local engine, for engine.py to count its forward tokens."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from agents.local.choosing import TokenSampling
from agents.local.drafts import Job
from agents.local.engine import Engine


@dataclass(frozen=True)
class Leap:
    """The sizes of a LeaP-shaped load, in tokens; `FULL` has those of the paper's code."""

    paths: int
    think: int
    blocks: int
    prompt: int
    dropped: int
    lead: int
    summary: int
    comments: int
    cue: int
    answer: int

    @property
    def lower_bound(self) -> int:
        """Return the fewest tokens that must go through the model.

        The prompt once, and all that is added to it once for each path.
        """
        block = self.lead + self.summary + self.comments
        return self.prompt + self.paths * (
            (self.blocks + 1) * self.think + self.blocks * block + self.cue + self.answer
        )

    @property
    def tokens_without_cache(self) -> int:
        """Return the tokens that go through if every call reads its whole prompt again."""
        # Each call reads all of its context, and then every token that it generates.
        context = self.prompt + self.think
        total = context
        for _ in range(self.blocks):
            context += self.lead - self.dropped
            total += context + self.summary
            context += self.summary + self.comments
            total += context + self.think
            context += self.think
        return self.paths * (total + context + self.cue + self.answer)


FULL = Leap(16, 4096, 4, 575, 40, 34, 256, 1082, 19, 256)
REDUCED = Leap(16, 64, 4, 48, 6, 6, 12, 40, 4, 12)


async def leap(engine: Engine, sizes: Leap, words: int) -> None:
    """Play the load: every path thinks, is cut back, summarises, reads its peers and thinks on.

    No path begins a step before all have ended the one before.
    """
    draw = random.Random(3)

    def some(count: int) -> list[int]:
        """Return tokens that somebody else wrote."""
        return draw.choices(range(words), k=count)

    async def go_on(count: int) -> None:
        """Let every path generate so many tokens."""
        jobs = [
            Job(tuple(path), count, TokenSampling(1.0), seed=draw.randrange(2**31), group="episode")
            for path in paths
        ]
        replies = await asyncio.gather(*map(engine.generate, jobs))
        for path, reply in zip(paths, replies, strict=True):
            path.extend(reply.ids)

    prompt = some(sizes.prompt)
    paths = [list(prompt) for _ in range(sizes.paths)]
    await go_on(sizes.think)
    for _ in range(sizes.blocks):
        for path in paths:
            # The end of a thought is cut off, and the lead-in to a summary put in its place.
            del path[-sizes.dropped :]
            path += some(sizes.lead)
        await go_on(sizes.summary)
        for path in paths:
            path += some(sizes.comments)
        await go_on(sizes.think)
    for path in paths:
        path += some(sizes.cue)
    await go_on(sizes.answer)
