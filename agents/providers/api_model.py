"""Build the requests of a model behind an API, and learn from its provider what it does not take.

A model has one function from a request to the body that is sent, without network, so that a batch
holds the same requests as single calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from agents.providers.chat_requests import extra_clash
from agents.providers.refused_settings import Adaptation, describe, find_refused, remedy
from agents.providers.sampling import ProviderModel
from arena.errors import ModelError, RefusedError, RefusedSettingError
from arena.sampling import JsonObject, Sampling
from arena.types import Place, Request

NOWHERE = Place("", "", 0, 0, "", 0)
AS_ASKED = Adaptation()


@dataclass(eq=False)
class Learned:
    """What the provider of a model has been found not to take."""

    adaptation: Adaptation = AS_ASKED


# By model and address: the agents of a model learn from each other, as long as one of them is left.
LEARNED: WeakValueDictionary[str, Learned] = WeakValueDictionary()


class ApiModel(ProviderModel):
    """A model behind an API.

    Derived classes say which settings a request has (`own_settings`) and how its body is made
    (`make_body`).  `address` is where the model is asked, "": at its provider.
    """

    name: str
    address = ""
    _learned: Learned | None = None

    @property
    def adaptation(self) -> Adaptation:
        """How requests differ from what was asked for, after what this model's provider refused."""
        if not self.drop_unsupported:
            return AS_ASKED
        if self._learned is None:
            self._learned = LEARNED.setdefault(f"{self.name}@{self.address}", Learned())
        return self._learned.adaptation

    def adapt(self, refused: str) -> None:
        """Send later requests to this model without what was refused."""
        adapted = self.adaptation.after(refused)
        if self._learned is not None:
            self._learned.adaptation = adapted

    def own_settings(self, request: Request) -> dict[str, object]:
        """Return the settings of a request besides model and messages, in the provider's words."""
        raise NotImplementedError

    def make_body(self, request: Request, settings: dict[str, object]) -> dict[str, object]:
        """Return the body of a request with these settings."""
        raise NotImplementedError

    def request_settings(self, request: Request) -> dict[str, object]:
        """Return the settings that are sent besides model and messages, in the provider's words.

        `left_out` names those that were asked for, and are not sent.
        """
        adaptation = self.adaptation
        lacked = self.lacks(request.sampling)
        request = self.supported_request(request) if lacked else request
        asked = self.own_settings(request)
        settings = adaptation.settings(asked)
        if adaptation.folds_system:
            settings["system"] = "in the first user message"
        if self.left_out or lacked or adaptation.left_out:
            refused = self.refused_among(request, asked, adaptation.left_out)
            if names := [*dict.fromkeys((*(self.left_out or ()), *lacked, *refused))]:
                settings["left_out"] = names
        return settings

    def refused_among(
        self, request: Request, asked: Mapping[str, object], names: tuple[str, ...]
    ) -> Iterator[str]:
        """Yield those of the names, inner ones with a dot, that a request asks for."""
        for path in names:
            name, _, inner = path.partition(".")
            parts = asked.get(name)
            if path in asked or (inner and isinstance(parts, Mapping) and inner in parts):
                yield path

    def request_body(self, request: Request) -> dict[str, object]:
        """Return the JSON of a request as it is sent."""
        request = self.supported_request(request)
        settings = self.adaptation.settings(self.own_settings(request))
        return self.make_body(self.adaptation.request(request), settings)

    def wrong_value(self, sampling: Sampling) -> str | None:
        """Return why a value cannot be sent, or why `extra` cannot go beside the others."""
        wrong = super().wrong_value(sampling)
        if wrong is None and isinstance(sampling.extra, JsonObject):
            plain = Request((), replace(sampling, extra=None), 0, NOWHERE)
            wrong = extra_clash(self.own_settings(plain), sampling, sampling.extra)
        return wrong

    def learn_from(
        self, fault: ModelError, status: int | None, answer: bytes, sent: Mapping[str, object]
    ) -> ModelError:
        """Return the error for a fault, after a look at what the provider did not take.

        `sent` is the body of the request.  If the answer names a setting that may be left out,
        later requests are sent without it, and the error says that another attempt is worth it.
        """
        if type(fault) is not RefusedError or status is None:
            return fault
        refused = find_refused(status, answer, sent)
        if refused is None:
            return fault
        if not self.drop_unsupported:
            return RefusedError(f"{fault}; {remedy(refused)}", http_status=status)
        # Calls that were sent at the same time learn the same thing.
        self.adapt(refused)
        done = describe(refused)
        return RefusedSettingError(
            f"{fault}; {done}", note=f"{self.name} refused {refused}: {done}", http_status=status
        )

    def learn_from_line(
        self, fault: ModelError, status: int | None, answer: bytes, request: Request
    ) -> ModelError:
        """Return the error for the line of a request in a batch, as `learn_from` does.

        All lines of a batch were sent before any was refused: as they were asked for.
        """
        asked = self.supported_request(request)
        messages = [{"role": message.role} for message in asked.messages]
        return self.learn_from(
            fault, status, answer, {"messages": messages, **self.own_settings(asked)}
        )
