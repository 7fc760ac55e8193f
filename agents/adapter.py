"""Adapt model objects that were written for version 0.1.0 to today's Model, for one release."""

from __future__ import annotations

import warnings
from typing import Protocol, cast

from arena.errors import StudyError
from arena.types import BaseModel, Model, Reply, Request, Sampling

# Abilities whose word has changed since 0.1.0.
NEW_ABILITIES = {"options": "choices"}


class FormerModel(Protocol):
    """The members that a model of 0.1.0 must have.

    It may also have `ended(episode)`, `queues`, `price`, `longest_reply`, `sent(request)`,
    `objection(sampling)`, `taken(sampling)`, and async `open()` and `close()`.
    """

    @property
    def name(self) -> str:
        """The reference without address or key."""
        ...

    @property
    def can(self) -> frozenset[str]:
        """The model's abilities, in the words of 0.1.0."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether its words come from a generator."""
        ...

    async def __call__(self, request: Request) -> Reply:
        """Answer, or raise a ModelError."""
        ...


class AdaptedModel(BaseModel):
    """A model of 0.1.0 behind today's members; made by `adapt`."""

    def __init__(self, former: FormerModel) -> None:
        self._former = former
        self.name = former.name
        self._copy_members()

    def __repr__(self) -> str:
        return f"<adapted {self._former!r}>"

    def _copy_members(self) -> None:
        """Copy the members that are values, under their new names."""
        former = self._former
        self.capabilities = frozenset(NEW_ABILITIES.get(word, word) for word in former.can)
        self.simulated = former.simulated
        self.has_own_queue = bool(getattr(former, "queues", False))
        self.price = getattr(former, "price", None)
        self.longest_reply = getattr(former, "longest_reply", None)

    async def __call__(self, request: Request) -> Reply:
        """Pass the request on, and the reply or error back."""
        return await self._former(request)

    async def open(self) -> None:
        """Open the model if it can be opened."""
        if (open_former := getattr(self._former, "open", None)) is not None:
            await open_former()
            # A model may know its abilities and its price only when it is loaded.
            self._copy_members()

    async def close(self) -> None:
        """Close the model if it can be closed."""
        if (close_former := getattr(self._former, "close", None)) is not None:
            await close_former()

    def on_episode_end(self, episode: str) -> None:
        """Call `ended` of the model, if it has one."""
        if (ended := getattr(self._former, "ended", None)) is not None:
            ended(episode)

    def unsupported_reason(self, sampling: Sampling) -> str | None:
        """Return the `objection` of the model; None if it has no such method."""
        objection = getattr(self._former, "objection", None)
        return None if objection is None else str(why) if (why := objection(sampling)) else None

    def supported_sampling(self, sampling: Sampling) -> Sampling:
        """Return the part of a sampling that is `taken`; all of it if there is no such method."""
        taken = getattr(self._former, "taken", None)
        supported: Sampling = sampling if taken is None else taken(sampling)
        return supported

    def request_settings(self, request: Request) -> dict[str, object] | None:
        """Return the settings that are `sent`; None if there is no such method."""
        sent = getattr(self._former, "sent", None)
        return None if sent is None else sent(request)


def adapt(model: FormerModel | Model) -> Model:
    """Return a model of version 0.1.0 with today's members, and warn with a DeprecationWarning.

    Abilities, episode end, queue, settings, unsupported samplings, price and longest reply are
    passed on under their new names.  Adapt a model once and give the result to all its agents: it
    is opened and closed as one.  A model that has today's members is returned as it is.

    Raises StudyError if the object has neither form.
    """
    if hasattr(model, "capabilities"):
        return cast(Model, model)
    missing = [name for name in ("name", "can", "simulated") if not hasattr(model, name)]
    if missing or not callable(model):
        lack = " and ".join(missing) or "a call"
        raise StudyError(
            f"{model!r} cannot be adapted: a model of version 0.1.0 has name, can, simulated and an"
            f" async call, and this one lacks {lack}; derive it from arena.types.BaseModel"
        )
    words = (
        f"{model.name} has the members of version 0.1.0; derive it from arena.types.BaseModel and"
        " call `can` capabilities, `ended` on_episode_end, `queues` has_own_queue, `sent`"
        " request_settings, `objection` unsupported_reason, `taken` supported_sampling"
    )
    warnings.warn(words, DeprecationWarning, stacklevel=2)
    return AdaptedModel(model)
