"""What nobody else is told: ways round privacy that protocols might take, and honest ones."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from arena import Image, chat, own, rated, reveal, spoken
from arena.calls.ledger import RunContext
from arena.calls.rate_limits import RateLimiter
from arena.errors import LeakError, ProtocolError
from arena.play.episode import Episode
from arena.play.memory import MemoryJournal, play_in_memory
from arena.play.prompt import verbatim
from arena.play.reading import read_reply
from arena.studies.study import Arm, Study, plays
from arena.types import Reading, Reply, Request, Sampling, Seat, Subject, Turn
from tests.fake_agents import MOTION, agent

VERSION = "1"
SECRET = (
    "My weakest point is the cost, and Opponents who press me on it would win this debate at once"
)


SENT: list[str] = []


def reply(request: Request) -> str:
    """What everybody says; only a, in its first step, has something to hide."""
    SENT.extend(message.content for message in request.messages)
    thoughts = SECRET if (request.place.seat, request.place.step) == ("a", 0) else "none"
    return f"<t>{thoughts}</t>In public.<r>83</r>"


def read(reply: Reply) -> Reading:
    thoughts, _, rest = reply.text.removeprefix("<t>").partition("</t>")
    return Reading(rest.partition("<r>")[0], thoughts, 0.83, "read")


@pytest.fixture
def run() -> RunContext:
    return RunContext("r", MemoryJournal(), RateLimiter(4))


A, B = Seat("a", agent("A", reply)), Seat("b", agent("B", reply))
Way = Callable[[Episode, Turn], Awaitable[object]]


def to_b(make: Callable[[Any], Any]) -> Way:
    """Ask b with what `make` makes of a's turn."""
    return lambda episode, turn: episode.ask(B, make(turn), phase="y")


def swapped_public(turn: Turn) -> Turn:
    object.__setattr__(turn, "public", SECRET)
    return turn


class Blind(str):
    """Text that says of itself that nothing stands in it."""

    def __contains__(self, words: object) -> bool:
        return False

    def __str__(self) -> str:
        return "nothing"


def words(turn: Turn) -> str:
    return str(reveal(turn.thoughts))


WAYS: dict[str, Way] = {
    "a rating in an f-string": to_b(lambda t: f"Your opponent is {t.confidence:.0%} sure."),
    "a rating, computed": to_b(lambda t: f"Your opponent is {t.confidence * 100} sure."),
    "a rating, rounded": to_b(lambda t: f"{round(t.confidence * 100)}"),
    "a rating, as an integer": to_b(lambda t: f"{int(t.confidence * 100)}"),
    "the beginning": to_b(lambda t: t.thoughts[:40]),
    "the rest": to_b(lambda t: t.thoughts[4:]),
    "another case": to_b(lambda t: t.thoughts.upper()),
    "joined": to_b(lambda t: " ".join(t.thoughts.split())),
    "as a string": to_b(lambda t: str(t.text)),
    "added": to_b(lambda t: "They think " + t.thoughts),
    "as JSON": to_b(lambda t: json.dumps(asdict(t))),
    "pickled": to_b(lambda t: pickle.dumps(t).hex()),
    "a number of the turn, pickled": to_b(lambda t: pickle.dumps(t.confidence).hex()),
    "the words": to_b(lambda t: f"They think {words(t)}"),
    "forty characters": to_b(lambda t: words(t)[:40]),
    "eight words": to_b(lambda t: " ".join(words(t).split()[3:11])),
    "from the middle of a word": to_b(lambda t: words(t)[4:]),
    "in capitals": to_b(lambda t: words(t).upper()),
    "with two spaces": to_b(lambda t: "  ".join(words(t).split())),
    "with a space that is none": to_b(lambda t: "\u200b".join(words(t))),
    "in full width": to_b(
        lambda t: words(t).translate({code: code + 0xFEE0 for code in range(33, 127)})
    ),
    "with other punctuation": to_b(lambda t: words(t).replace(",", " -")),
    "in two texts": to_b(lambda t: [words(t)[:30], words(t)[30:60]]),
    "in two texts around a turn": to_b(lambda t: [words(t)[:30], t, words(t)[30:60]]),
    "in text that hides it": to_b(lambda t: Blind(words(t))),
    "the own face": to_b(own),
    "the rated face": to_b(rated),
    "another public text": to_b(lambda t: replace(t, public=words(t))),
    "a private value as public text": to_b(lambda t: replace(t, public=t.thoughts)),
    "another author": to_b(lambda t: own(replace(t, seat="b"))),
    "a turn of its own making": to_b(lambda t: Turn("e", "b", 0, "x", 0, "", words(t))),
    "a rating that is called public": to_b(lambda t: rated(replace(t, rating_public=True))),
    "a turn that was changed": to_b(swapped_public),
    "a turn of another episode": to_b(lambda t: replace(t, episode="other", public=words(t))),
    "a system prompt": lambda episode, turn: episode.ask(
        Seat("c", replace(B.agent, system=words(turn))), "x", phase="y"
    ),
    "a new system prompt": lambda episode, turn: ask_twice(episode, turn),
    "another agent in its seat": lambda episode, turn: episode.ask(
        Seat("a", B.agent), own(turn), phase="y"
    ),
    "a stop word": lambda episode, turn: episode.ask(
        B, "x", phase="y", sampling=Sampling(stop=(words(turn),))
    ),
    "a text as stop words": lambda episode, turn: episode.ask(
        B,
        "x",
        phase="y",
        sampling=Sampling(stop=words(turn)),  # type: ignore[arg-type]  # a slip
    ),
    "pieces among choices": lambda episode, turn: episode.ask(
        B, "x", phase="y", sampling=Sampling(choices=(words(turn)[:30], words(turn)[30:60]))
    ),
    "a prefill": lambda episode, turn: episode.ask(B, "x", phase="y", prefill=words(turn)),
    "a prefill of the raw reply": lambda episode, turn: episode.ask(
        B, "x", phase="y", prefill=verbatim(turn)
    ),
    "the own face in a chat": to_b(lambda t: chat(["x", own(t), "y"])),
    "the raw reply in a chat": to_b(lambda t: chat(["x", verbatim(t), "y"])),
    "a private face as one's own words": to_b(lambda t: chat(["x", spoken(own(t)), "y"])),
    "words as one's own words": to_b(lambda t: chat(["x", spoken(words(t)), "y"])),
    "in two items": to_b(lambda t: chat([words(t)[:30], words(t)[30:60]])),
    "a turn of its own making in a chat": to_b(
        lambda t: chat(["x", Turn("e", "b", 0, "x", 0, words(t), "p"), "y"])
    ),
    "an image that holds them": to_b(lambda t: Image(b"\x89PNG\r\n\x1a\n" + words(t).encode())),
    "a schema": lambda episode, turn: episode.ask(
        B, "x", phase="y", sampling=Sampling(response_schema={"a": [{"title": words(turn)}]})
    ),
    "a setting in a provider's words": lambda episode, turn: episode.ask(
        B, "x", phase="y", sampling=Sampling(extra={words(turn): 1})
    ),
    "a re-ask": lambda episode, turn: episode.ask(
        B, "x", phase="y", read=lambda _: Reading("In public.", reask="Again: " + words(turn))
    ),
    "a reader's public words": lambda episode, turn: episode.ask(
        B, "x", phase="y", read=lambda _: Reading(words(turn))
    ),
    "composed public words": lambda episode, turn: episode.ask(
        B, "x", phase="y", read=lambda _: Reading(words(turn), composed=True)
    ),
}


async def ask_twice(episode: Episode, turn: Turn) -> object:
    await episode.ask(B, "x", phase="y")
    return await episode.ask(Seat("b", replace(B.agent, system="Other words.")), "x", phase="z")


@pytest.mark.parametrize("way", WAYS)
async def test_a_way_round_privacy_raises(run: RunContext, way: str) -> None:
    episode = Episode("e", run)
    turn = await episode.ask(A, "Speak.", phase="x", read=read)
    asked = len(SENT)
    with pytest.raises((LeakError, TypeError, AttributeError, ProtocolError)):
        await WAYS[way](episode, turn)
    assert SECRET[:30] not in "".join(SENT[asked:])


async def test_words_that_reach_another_episode_of_the_run_are_a_leak(run: RunContext) -> None:
    turn = await Episode("e", run).ask(A, "Speak.", phase="x", read=read)
    with pytest.raises(LeakError, match="private words of a in episode e"):
        await Episode("f", run).ask(A, words(turn), phase="x")


async def test_what_is_no_secret_may_be_said(run: RunContext) -> None:
    """Public words, the question, templates, one's own thoughts, what was published later."""
    subject = Subject("Is the cost of it all the weakest point that my opponents could ever find?")
    told = f"<t>{subject.text} I wonder: answer in a single word, and then give a number.</t>"
    said = (
        f"{told}The cost is a price that we can pay, and that we will pay for a better world.<r>8"
    )
    first = Seat("first", agent("F", lambda _: said))
    episode = Episode("e", run, subject=subject)
    template = "Answer in a single word, and then give a number."
    turn = await episode.ask(first, [subject.text, template], phase="x", read=read)
    assert (await episode.ask(B, [f"It said: {turn.public}", template], phase="y")).public
    assert (await episode.ask(B, f"About “{subject.text}”: yes?", phase="y")).public
    assert (await episode.ask(first, f"You thought {words(turn)}", phase="y")).public
    # A run of a secret is none any more when its author says it in public.
    secret = await episode.ask(A, "Speak.", phase="x", read=read)
    loud = Seat("loud", agent("L", lambda _: f"I admit it: {SECRET}."))
    with pytest.raises(LeakError):
        await episode.ask(B, words(secret), phase="z")
    await episode.ask(loud, "Admit it.", phase="z")
    assert (await episode.ask(B, words(secret), phase="z")).public


async def test_numbers_may_be_computed_with_and_returned(run: RunContext) -> None:
    episode = Episode("e", run)
    turns = [await episode.ask(A, "Speak.", phase="x", read=read) for _ in range(3)]
    mean = sum(turn.confidence for turn in turns) / len(turns)  # type: ignore[misc]
    assert mean > 0.8
    assert max(turn.confidence for turn in turns) == 0.83  # type: ignore[type-var]
    assert reveal(mean) == pytest.approx(0.83)
    public = await episode.ask(B, "Speak.", phase="x", read=read, public_rating=True)
    assert f"{public.confidence:.0%}" == "83%"


@pytest.mark.parametrize("before", ["", "They think: "])
def test_a_reader_cannot_make_the_thoughts_public_that_it_gives_as_private(before: str) -> None:
    """Neither as part of the whole reply, nor in words of its own; what is said twice is public."""
    whole = Reply(f"<t>{SECRET}</t>In public.", finish_reason="stop")
    loud = Reply(f"<t>{SECRET}</t>{SECRET}", finish_reason="stop")
    told = Reading(before + whole.text, SECRET, composed=bool(before))
    with pytest.raises(ProtocolError, match="gives as private thoughts"):
        read_reply(lambda _: told, whole, "a")
    said = replace(told, public=before + SECRET)
    assert read_reply(lambda _: said, loud, "a").public == said.public


@pytest.mark.parametrize("swallow", [True, False])
def test_a_protocol_that_swallows_a_leak_fails(swallow: bool) -> None:
    async def gossip(episode: Episode, motion: Subject, a: Seat, b: Seat) -> None:
        turn = await episode.ask(a, "Speak.", phase="x", read=read)
        try:
            await episode.ask(b, words(turn), phase="y")
        except LeakError:
            if not swallow:
                raise

    journal = MemoryJournal()
    (play,) = plays(Study("s", [Arm("x", gossip, [{"a": A.agent, "b": B.agent}])], [MOTION]))
    asyncio.run(play_in_memory(play, journal))
    (status,) = journal.rows("statuses")
    assert (status["status"], status["error_kind"]) == ("failed", "LeakError")


def test_a_private_value_that_is_used_as_text_names_the_protocols_own_line() -> None:
    async def tell(episode: Episode, motion: Subject, a: Seat) -> None:
        turn = await episode.ask(a, "Speak.", phase="x", read=read)
        f"{turn.confidence:.0%}"

    journal = MemoryJournal()
    (play,) = plays(Study("s", [Arm("x", tell, [{"a": A.agent}])], [MOTION]))
    asyncio.run(play_in_memory(play, journal))
    (status,) = journal.rows("statuses")
    assert "(test_disclosure.py, line" in status["error"]
