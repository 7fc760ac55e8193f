"""An engine answers as the model itself does, in any process; no Ray is needed for that."""

from __future__ import annotations

import pickle

import pytest

from agents import agent, model
from arena.errors import ContextOverflowError, StudyError
from arena.machines.ray_engine import Engine, OpenedModel
from arena.types import BaseModel, Message, Place, Reply, Request, Sampling

SAMPLING = Sampling(temperature=0.8, max_tokens=20)


def request(text: str = "What is 12+34+56?", seed: int = 7) -> Request:
    """A request of the first step of a seat."""
    return Request((Message("user", text),), SAMPLING, seed, Place("e", "solver", 0, 0, "", 0))


class Forgetful(BaseModel):
    """A model that says how often it was opened, and has room for ten letters."""

    name = "own/forgetful"
    on_engines = True

    def __init__(self) -> None:
        self.opened = 0

    async def open(self) -> None:
        """Count, and fail from the second time on."""
        self.opened += 1
        if self.opened > 1:
            raise StudyError("there is no memory left")

    async def __call__(self, request: Request) -> Reply:
        """Say how often it was opened."""
        if len(request.messages[0].content) > 10:
            raise ContextOverflowError("more than ten letters", sent=False)
        return Reply(f"opened {self.opened} times")


async def ask(engine: Engine, key: str, sent: Request) -> object:
    """What an engine answers."""
    return pickle.loads(await engine.ask(key, pickle.dumps(sent)))


async def test_replies_errors_and_settings_come_back_as_values() -> None:
    engine = Engine()
    assert await ask(engine, "k", request("hi")) is None
    opened = await engine.open("k", pickle.dumps(Forgetful()))
    assert opened == OpenedModel(frozenset(), None)
    # A second run that opens it finds it open.
    assert await engine.open("k", b"") == opened
    assert await ask(engine, "k", request("hi")) == Reply("opened 1 times")
    error = await ask(engine, "k", request())
    assert isinstance(error, ContextOverflowError)
    assert (str(error), error.sent) == ("more than ten letters", False)
    assert await engine.request_settings("k", pickle.dumps(request())) is None
    await engine.close("k")
    assert await ask(engine, "k", request("hi")) is None
    refused = await engine.open("k", b"")
    assert isinstance(refused, StudyError)
    assert str(refused) == "there is no memory left"
    await engine.drop(["k"])
    with pytest.raises(EOFError):
        await engine.open("k", b"")


# Torch takes seconds.
@pytest.mark.slow
async def test_a_local_model_travels_without_its_weights_and_answers_the_same() -> None:
    toy = model("toy/sum?slots=4")
    await toy.open()
    here = await toy(request())
    settings = toy.request_settings(request())
    assert isinstance(toy, BaseModel)
    digest = toy.find_digest()
    pickled = pickle.dumps(toy)
    await toy.close()
    assert len(pickled) < 2000
    engine = Engine()
    opened = await engine.open("toy", pickled)
    assert opened == OpenedModel(toy.capabilities, digest)
    assert await ask(engine, "toy", request()) == here
    assert await engine.request_settings("toy", pickle.dumps(request())) == settings
    await engine.end_episode("toy", "e")
    await engine.close("toy")


def test_what_was_left_out_of_a_sampling_travels_too() -> None:
    dropped = agent(
        "toy/sum?slots=3", sampling=Sampling(reasoning_effort="low"), drop_unsupported=True
    )
    there = pickle.loads(pickle.dumps(dropped.model))
    assert there.left_out == dropped.model.left_out
    assert there.drop_unsupported
