"""Model objects of version 0.1.0 keep working behind today's members."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from agents import adapt
from agents.scripted import scripted_model
from arena.errors import StudyError
from arena.play.run import Arena
from arena.types import Agent, Price, Reply, Request, Sampling
from tests.fake_agents import study
from tests.provider_faults import ask


class Plain:
    """As the README of 0.1.0 had it: three members and a call."""

    name = "old/plain"
    can = frozenset({"seed"})
    simulated = True

    async def __call__(self, request: Request) -> Reply:
        return Reply(f"{request.place.seat}|50")


class Full(Plain):
    """Every member that 0.1.0 knew."""

    name = "old/full"
    can = frozenset({"logprobs", "options"})
    queues = True
    longest_reply = 100
    price: Price | None = None

    def __init__(self) -> None:
        self.events: list[str] = []

    async def open(self) -> None:
        self.events.append("open")
        self.price = Price(1, 2)

    async def close(self) -> None:
        self.events.append("close")

    def ended(self, episode: str) -> None:
        self.events.append(f"ended {episode}")

    def sent(self, request: Request) -> dict[str, object]:
        return {"temperature": request.sampling.temperature}

    def objection(self, sampling: Sampling) -> str | None:
        return "no top_p" if sampling.top_p is not None else None

    def taken(self, sampling: Sampling) -> Sampling:
        return dataclasses.replace(sampling, top_p=None)


async def test_every_former_member_has_its_new_name() -> None:
    former = Full()
    with pytest.warns(DeprecationWarning, match="old/full has the members of version 0.1.0"):
        model = adapt(former)
    assert (model.name, model.simulated, model.has_own_queue) == ("old/full", True, True)
    assert model.capabilities == {"logprobs", "choices"}
    assert (model.price, model.longest_reply) == (None, 100)
    await model.open()
    assert model.price == Price(1, 2)
    model.on_episode_end("e1")
    await model.close()
    assert former.events == ["open", "ended e1", "close"]
    hot = Sampling(temperature=1.0, top_p=0.5)
    assert model.request_settings(ask(sampling=hot)) == {"temperature": 1.0}
    assert model.unsupported_reason(hot) == "no top_p"
    assert model.supported_sampling(hot) == Sampling(temperature=1.0)
    assert model.unsupported_reason(Sampling()) is None


async def test_a_member_that_is_not_there_has_the_default() -> None:
    with pytest.warns(DeprecationWarning, match="members of version"):
        model = adapt(Plain())
    await model.open()
    await model.close()
    model.on_episode_end("e1")
    hot = Sampling(temperature=1.0)
    assert (model.price, model.longest_reply, model.has_own_queue) == (None, None, False)
    assert (model.unsupported_reason(hot), model.supported_sampling(hot)) == (None, hot)
    assert model.request_settings(ask()) is None
    assert (await model(ask())).text == "proposition|50"


def test_an_adapted_model_plays_a_study(tmp_path: Path) -> None:
    former = Full()
    with pytest.warns(DeprecationWarning, match="members of version"):
        agent = Agent("old", adapt(former))
    summary = Arena(tmp_path / "arena.duckdb").run(study(agent, subjects=1))
    assert (summary.done, summary.failed) == (1, 0)
    assert list(dict.fromkeys(event.split()[0] for event in former.events)) == [
        "open",
        "ended",
        "close",
    ]


def test_a_model_of_today_is_returned_as_it_is() -> None:
    model = scripted_model(lambda request: "speech")
    assert adapt(model) is model


def test_studies_of_0_1_0_may_still_ask_a_model_what_it_can() -> None:
    model = scripted_model(lambda request: "speech")
    with pytest.warns(DeprecationWarning, match=r"can is called capabilities now"):
        assert model.can == {"seed", "prefill", "images"}  # type: ignore[attr-defined]


def test_another_object_is_refused_with_what_it_lacks() -> None:
    with pytest.raises(StudyError, match="lacks can and simulated; derive it from"):
        adapt(Agent("name", scripted_model(lambda request: "speech")))
