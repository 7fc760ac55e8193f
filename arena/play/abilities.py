"""Refuse an ask for which the model of a seat lacks an ability, before anything is sent."""

from __future__ import annotations

from arena.decoding import decoding_problem
from arena.errors import ProtocolError, StudyError
from arena.play.prompt import BuiltPrompt
from arena.types import Sampling, Seat


def check_abilities(seat: Seat, built: BuiltPrompt, sampling: Sampling) -> None:
    """Raise ProtocolError or StudyError if a seat cannot be asked in this way."""
    model = seat.agent.model
    if built.prefill and "prefill" not in model.capabilities:
        raise ProtocolError(
            f"{seat.name} was to continue a prefill, which {model.name} cannot: use a local model,"
            " or a server with prefill"
        )
    if built.images and "images" not in model.capabilities:
        raise StudyError(
            f"{seat.name} is to be shown an image, which {model.name} does not take; use a model"
            " that does"
        )
    if sampling.readouts and "readouts" not in model.capabilities:
        raise StudyError(
            f"{seat.name} is to be read off ({', '.join(sampling.readouts)}), which needs a model"
            f" on this machine; {model.name} is none: give a local/ model"
        )
    if (why := decoding_problem(sampling.decoding, model.capabilities)) is not None:
        raise StudyError(f"{seat.name} speaks with {model.name}: {why}")
