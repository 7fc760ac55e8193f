"""Does a debater's stated confidence fit its private thoughts?  A labelling of stored debates.

    arena run private_reasoning -o of=self                      by rules alone: no key, no cost
    arena run private_reasoning -o of=self -o labellers=openai/gpt-5-mini,http/m@URL
    arena run private_reasoning -o of=self -o labellers=... -o number=shown
        the labeller sees the number, as the published one did

`of` is a study of the store, such as an import of the publication.  Only thoughts that debaters
were asked to write as private are read.  `arena report --study self` then shows the shares of
aligned, overstated and understated numbers by labeller, and how far labellers agree, the published
one among them.

The paper (arXiv 2505.19184): 94.4% of 354 labels are aligned between different models, 86.1% of 353
in self-debates, 83.5% of 352 with the note of even odds, 86.2% of 340 with public bets; all of them
by gemini-2.0-flash, which saw the number.
"""

from __future__ import annotations

from agents import agent
from arena import Sampling, Stage
from protocols.private_reasoning import RULES, Number, labels_of


def study(
    *,
    of: str = "two_llms_debate_self",
    labellers: list[str] = [],  # noqa: B006
    number: Number = "hidden",
    max_tokens: int | None = None,
) -> list[Stage]:
    """Return the labelling of the study `of`, by the rules and by each labeller."""
    bound = Sampling(max_tokens=max_tokens)
    models = [agent(reference, sampling=bound) for reference in labellers]
    return [labels_of(f"{of} private reasoning", of, [RULES, *models], number=number)]
