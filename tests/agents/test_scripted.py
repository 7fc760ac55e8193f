"""Scripted models answer with what their function returns, and with nothing else."""

from __future__ import annotations

import asyncio
import functools
import time

import pytest

from agents.scripted import scripted_model, source_hash
from arena.errors import RateLimitedError
from arena.types import Message, Place, Price, Reply, Request, Sampling


def ask(seat: str = "proposition", phase: str = "opening") -> Request:
    return Request(
        (Message("user", "the motion"),), Sampling(), 7, Place("episode", seat, 2, 1, phase, 0)
    )


async def test_the_function_sees_the_whole_request() -> None:
    model = scripted_model(
        lambda r: (
            f"{r.place.seat} {r.place.phase} {r.place.step}.{r.place.ask} {r.seed}"
            f" {r.messages[-1].content}"
        )
    )
    assert await model(ask("opposition", "closing")) == Reply("opposition closing 2.1 7 the motion")


async def test_the_function_may_be_async() -> None:
    async def slow(request: Request) -> str:
        await asyncio.sleep(0)
        return "at last"

    assert (await scripted_model(slow)(ask())).text == "at last"


async def test_the_function_may_play_a_fault_and_recover() -> None:
    answers = iter([RateLimitedError("slow down", retry_after_s=1.0), "speech"])

    def reply(request: Request) -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    model = scripted_model(reply)
    with pytest.raises(RateLimitedError):
        await model(ask())
    assert (await model(ask())).text == "speech"


async def test_a_whole_reply_keeps_its_counts() -> None:
    model = scripted_model(
        lambda r: Reply("speech", tokens_out=9, cost_usd=0.5, cost_source="script")
    )
    assert await model(ask()) == Reply("speech", tokens_out=9, cost_usd=0.5, cost_source="script")


async def test_anything_else_than_text_is_a_type_error_that_names_the_model() -> None:
    with pytest.raises(TypeError, match=r"scripted/broken must return text.*NoneType"):
        await scripted_model(lambda r: None, "broken")(ask())  # type: ignore[arg-type, return-value]


async def test_text_that_cannot_be_stored_is_made_storable() -> None:
    (await scripted_model(lambda r: "cut \ud83d")(ask())).text.encode()


async def test_latencies_overlap_and_order_the_replies() -> None:
    replies: list[str] = []

    def reply(request: Request) -> str:
        replies.append(request.place.seat)
        return "speech"

    model = scripted_model(reply, latency_s=lambda r: {"fast": 0.01, "slow": 0.06}[r.place.seat])
    started = time.monotonic()
    await asyncio.gather(model(ask("slow")), model(ask("fast")), model(ask("slow")))
    assert replies == ["fast", "slow", "slow"]
    assert time.monotonic() - started > 0.05


def test_a_scripted_model_may_have_a_price() -> None:
    assert getattr(scripted_model(lambda r: "speech", price=Price(1, 2)), "price", None) == Price(
        1, 2
    )
    assert getattr(scripted_model(lambda r: "speech"), "price", 0) is None


def test_a_scripted_model_is_named_and_marked_as_simulated() -> None:
    model = scripted_model(lambda r: "speech", "stubborn")
    assert (model.name, model.simulated) == ("scripted/stubborn", True)


def test_a_version_is_part_of_the_name_only_where_it_is_given() -> None:
    named = [scripted_model(lambda r: "", "x", version).name for version in (None, "2", 3)]
    assert named == ["scripted/x", "scripted/x@2", "scripted/x@3"]


def bare(request: Request) -> str:
    return "words"


def documented(request: Request) -> str:
    """Answer in words."""
    # Neither the docstring nor this comment counts.
    return "words"


class Speaker:
    def __init__(self, word: str) -> None:
        self.word = word

    def __call__(self, request: Request) -> str:
        return self.word

    def speak(self, request: Request) -> str:
        return self.word.upper()


def test_a_hash_is_one_of_the_functions_own_source_without_comments_and_layout() -> None:
    def inner(request: Request) -> str:
        return "words"

    @functools.wraps(bare)
    def wrapped(request: Request) -> str:
        return bare(request)

    alike = (bare, documented, inner, functools.partial(bare), wrapped)
    same = {source_hash(each) for each in alike}
    assert len(same) == 1
    others = [source_hash(each) for each in (Speaker("a"), Speaker("a").speak, lambda r: "words")]
    assert len({*same, *others}) == 4
    assert source_hash(Speaker("a")) == source_hash(Speaker("b"))


def test_lambdas_on_one_line_are_told_apart() -> None:
    a, b, c = (lambda r: "é" if r else "a"), (lambda r: "é" if r else "b"), (lambda r: lambda s: s)
    inner: object = c(None)  # type: ignore[no-untyped-call]
    hashes = [source_hash(each) for each in (a, b, c, inner)]  # type: ignore[arg-type]
    assert len(set(hashes)) == 4
    assert None not in hashes


def test_without_a_source_there_is_no_hash() -> None:
    assert [source_hash(each) for each in (eval("lambda r: 'a'"), len, functools.partial(len))] == [
        None
    ] * 3
