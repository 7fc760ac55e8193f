"""Play debates whose speakers write in many habits, and count what had to be asked again.

    python experiments/benchmarks/reading.py [--debates 200] [--seed 1] [--as-asked 0.55]

Scripted agents speak in the form that the prompt asks for in 55% of their replies, and in the other
45% in one of 26 habits of models.  A second ask is answered as models answer it: with the rating
alone, with the speech alone, or in another habit.  Printed are the share of calls that are re-asks,
the share of turns that stay unreadable, and three counts of these, which must agree: the one of the
line of progress, the one of the summary, and the one that SQL finds in the store.  Nothing is
opened outside of this machine.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from pathlib import Path

from agents.scripted import scripted_model
from arena import Agent, Arena, Arm, Study, Subject
from arena.types import Request
from protocols.debate import debate

AS_ASKED = "<thoughts>{t}</thoughts>\n<speech>{s}</speech>\n<rating>{r}</rating>"
# Thoughts {t}, speech {s}, rating {r}: of 26 habits, two leave something open (the last two).
HABITS = (
    "**Thoughts:** {t}\n\n**Speech:** {s}\n\n**Rating:** {r}/100",
    "Thoughts: {t}\nSpeech: {s}\nRating: {r}/100",
    "## Thoughts\n{t}\n\n## Speech\n{s}\n\n## Rating\n{r}/100",
    '{{"thoughts": "{t}", "speech": "{s}", "rating": {r}}}',
    '```json\n{{"thoughts": "{t}", "speech": "{s}", "rating": {r}}}\n```',
    "[private thoughts: {t}] {s} [rating: {r} out of 100]",
    "{s}\n[private thoughts: {t}]\n[rating: {r} out of 100]",
    "<speech>{s}</speech> [rating: {r} out of 100]",
    "<thoughts>{t}</thoughts> {s} <rating>{r}</rating>",
    "<thoughts>{t}</thoughts><speech>{s}<rating>{r}</rating>",
    "<thoughts>{t}<speech>{s}</speech><rating>{r}</rating>",
    "<thoughts>{t}</thoughts><speech>{s}</speech><rating>{r}",
    '<speech>{s}</speech><rating value="{r}"/>',
    "<speech>{s}</speech><confidence>{r}</confidence>",
    "<speech>{s}</speech>\n**Confidence:** {r}/100",
    "<speech>{s}</speech>\nRating: {r}",
    "<speech>{s}</speech>\nI'd say {r} percent.",
    "<speech>{s}</speech>\n{r}",
    "<speech>{s}</speech>\n$\\boxed{{{r}}}$",
    "&lt;speech&gt;{s}&lt;/speech&gt;&lt;rating&gt;{r}&lt;/rating&gt;",
    "<think>{t}</think><speech>{s}</speech><rating>{r}</rating>",
    "```xml\n<thoughts>{t}</thoughts>\n<speech>{s}</speech>\n<rating>{r}%</rating>\n```",
    "<THOUGHTS>{t}</THOUGHTS><SPEECH>{s}</SPEECH><RATING>~{r}</RATING>",
    "{t}</think>\n<speech>{s}</speech>\n<rating>{r} - I lead</rating>",
    "<speech>{s}</speech><rating>at least {r}</rating>",
    "{s}",
)
SECOND_ASKS = ("<rating>{r}</rating>", "{r}", "{r}%", "Rating: {r}")


def main() -> None:
    """Play, print the shares, and end with an error if the counts disagree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--debates", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--as-asked", type=float, default=0.55)
    options = parser.parse_args()
    used: Counter[str] = Counter()

    def speak(request: Request) -> str:
        """Answer in a form that is drawn from the request's seed."""
        draw = random.Random(f"{options.seed} {request.seed}")
        words = {
            "t": "I may lose this",
            "s": f"Hear point {request.seed}.",
            "r": draw.randint(2, 99),
        }
        asked = request.messages[-1].content
        if request.place.ask and "Your rating could not" in asked:
            return draw.choice(SECOND_ASKS).format(**words)
        # Who is reminded of the form keeps to it more often.
        as_asked = 0.9 if request.place.ask else options.as_asked
        form = AS_ASKED if draw.random() < as_asked else draw.choice(HABITS)
        used[form] += 1
        return form.format(**words)

    with tempfile.TemporaryDirectory() as folder:
        arena = Arena(Path(folder) / "reading.duckdb")
        speaker = Agent("speaker", scripted_model(speak, name="speaker"))
        lineup = {"proposition": speaker, "opposition": speaker}
        motions = [Subject(f"This house would read number {n}.") for n in range(options.debates)]
        line: list[int] = []
        summary = arena.run(
            Study("reading", [Arm("a", debate, [lineup])], motions),
            watch=lambda stats: line.append(stats.unreadable),
        )
        ((turns, again, stored),) = arena.sql(
            "select count(*), count(*) filter (asks = 2),"
            " count(*) filter (public is null or confidence is null) from turns"
        ).rows
    calls = turns + again
    print(f"{turns:,} turns, {calls:,} calls; {used[AS_ASKED] / sum(used.values()):.1%} as asked")
    print(f"asked again {again:,}, {again / calls:.1%} of the calls")
    print(f"unreadable {stored:,}, {stored / turns:.2%} of the turns")
    counts = (line[-1], summary.unreadable, stored)
    print("line {}, summary {}, store {}".format(*counts))
    if len(set(counts)) > 1:
        raise SystemExit("the three counts of unreadable turns disagree")


if __name__ == "__main__":
    main()
