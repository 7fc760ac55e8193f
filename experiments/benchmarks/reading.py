"""Play debates whose speakers write in many habits, and count what had to be asked again.

    python experiments/benchmarks/reading.py [--debates 200] [--seed 1] [--lane http|openai]

A server on this machine speaks in the form that the prompt asks for in 55% of its replies, and in
the other 45% in one of 26 habits of models.  A second ask is answered as models answer it: with the
rating alone, with the speech alone, or in another habit.  Printed are the share of calls that are
re-asks, the share of turns that stay unreadable, and three counts of these, which must agree: the
one of the line of progress, the one of the summary, and the one that SQL finds in the store.
Nothing is opened outside of this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# The server belongs to the tests, which are no installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents import agent
from arena import Arena, Arm, Study, Subject
from protocols.debate import debate
from protocols.parsing.tags import ASK_RATING, REASKS
from tests.fake_server import ChatServer, ReceivedRequest, running

AS_ASKED = "<speech>{s}</speech>\n<thoughts>{t}</thoughts>\n<rating>{r}</rating>"
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


LANES = ("http", "openai")


@dataclass(frozen=True)
class Habits:
    """How a server speaks: in which share of first and of second asks as it was asked to.

    Otherwise in one of `others`.
    """

    as_asked: float = 0.55
    when_reminded: float = 0.9
    others: Sequence[str] = HABITS


@dataclass(frozen=True)
class Counts:
    """What a study took, and its unreadable turns: by line of progress, summary and store."""

    turns: int
    asked_again: int
    line: int
    summary: int
    store: int


def speak(habits: Habits, seed: int, received: ReceivedRequest) -> str:
    """Answer a request in a form that is drawn from its words."""
    draw = random.Random(f"{seed} {received.sha256}")
    words = {"t": "I may lose this", "s": f"Hear {received.sha256}.", "r": draw.randint(2, 99)}
    asked = received.body["messages"][-1]["content"]
    if asked == ASK_RATING:
        return draw.choice(SECOND_ASKS).format(**words)
    # Who is reminded of the form keeps to it more often.
    share = habits.when_reminded if asked in REASKS.values() else habits.as_asked
    form = AS_ASKED if draw.random() < share else draw.choice(habits.others)
    return form.format(**words)


async def count(
    path: Path, debates: int, *, seed: int = 1, lane: str = "http", habits: Habits = Habits()
) -> Counts:
    """Play a study over loopback, and count what was asked again and what stayed unreadable."""
    line = [0]
    async with running(ChatServer(lambda received: speak(habits, seed, received))) as server:
        reference = f"http/any@{server.url}"
        if lane == "openai":
            os.environ |= {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "any"}
            reference = "openai/gpt-4o-mini"
        speaker = agent(reference)
        lineup = {"proposition": speaker, "opposition": speaker}
        motions = [Subject(f"This house would read number {n}.") for n in range(debates)]
        arena = Arena(path)
        summary = await arena.play(
            Study("reading", [Arm("a", debate, [lineup])], motions),
            watch=lambda stats: line.append(stats.unreadable),
        )
    ((turns, again, stored),) = arena.sql(
        "select count(*), count(*) filter (asks = 2),"
        " count(*) filter (public is null or confidence is null) from turns"
    ).rows
    return Counts(turns, again, line[-1], summary.unreadable, stored)


def main() -> None:
    """Play, print the shares, and end with an error if the counts disagree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--debates", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--as-asked", type=float, default=0.55)
    parser.add_argument("--lane", choices=LANES, default="http")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(
            count(
                Path(folder) / "reading.duckdb",
                options.debates,
                seed=options.seed,
                lane=options.lane,
                habits=Habits(options.as_asked),
            )
        )
    calls = found.turns + found.asked_again
    print(f"{found.turns:,} turns, {calls:,} calls over {options.lane}")
    print(f"asked again {found.asked_again:,}, {found.asked_again / calls:.1%} of the calls")
    print(f"unreadable {found.store:,}, {found.store / found.turns:.2%} of the turns")
    print(f"line {found.line}, summary {found.summary}, store {found.store}")
    if len({found.line, found.summary, found.store}) > 1:
        raise SystemExit("the three counts of unreadable turns disagree")


if __name__ == "__main__":
    main()
