"""Tell before the first call whether a protocol is given subjects of the type that it is about."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Sequence

from arena.errors import StudyError
from arena.types import Subject


def check_subjects(protocol: Callable[..., object], subjects: Sequence[Subject], arm: str) -> None:
    """Raise StudyError for a subject of another type than a protocol's second parameter names.

    A judge reads stored debates, an estimator stored replies: a plain question holds neither.
    """
    parameters = list(inspect.signature(protocol).parameters)
    hint = typing.get_type_hints(protocol).get(parameters[1]) if len(parameters) > 1 else None
    if not (isinstance(hint, type) and issubclass(hint, Subject)):
        return
    wrong = next((each for each in subjects if not isinstance(each, hint)), None)
    if wrong is not None:
        raise StudyError(
            f"{getattr(protocol, '__name__', protocol)} is about subjects of the type"
            f" {hint.__name__}, which a stage makes of a stored study; arm {arm!r} has a"
            f" {type(wrong).__name__}: {wrong.text[:60]!r}"
        )
