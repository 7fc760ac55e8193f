"""Play the values of an option in turn, as a random factor of a study.

Arms are conditions that are compared; a random factor, such as the wording of prompts, is drawn
from many that would have done as well.  Its values are spread over the plays of an arm instead:
over subjects, lineups and repeats, as in a Latin square, so that each is played equally often with
each of them, as far as their numbers allow.  A study costs the same with it; with as many repeats
as there are values, every lineup debates every subject once in each.
"""

from __future__ import annotations

import inspect
import itertools
import typing
from collections.abc import Callable, Mapping, Sequence

from arena.errors import StudyError


def values_of(protocol: Callable[..., object], option: str) -> tuple[object, ...]:
    """Return the values of an option that takes one of several, the default first.

    Empty if the protocol has no such option.  Raises StudyError for one that takes anything else.
    """
    declared = inspect.signature(protocol).parameters.get(option)
    if declared is None or declared.kind is not declared.KEYWORD_ONLY:
        return ()
    hint = typing.get_type_hints(protocol).get(option)
    values = typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()
    if len(values) < 2:
        raise StudyError(
            f"option {option} of {getattr(protocol, '__name__', protocol)} cannot be varied: its"
            " annotation must name its values, as Literal['first', 'second'] does"
        )
    return tuple(sorted(values, key=lambda value: value != declared.default))


def variants(
    protocol: Callable[..., object], options: Mapping[str, object], vary: Sequence[str]
) -> list[dict[str, object]]:
    """Return the options of an arm once for each value, or combination of values, of those varied.

    A single one where the protocol has none of them.  Raises StudyError where the arm sets one.
    """
    values = {option: values_of(protocol, option) for option in dict.fromkeys(vary)}
    for option, choices in values.items():
        if choices and option in options:
            raise StudyError(
                f"option {option} is to be varied, and an arm sets it to {options[option]!r}: leave"
                " it out of one of both"
            )
    named = {option: choices for option, choices in values.items() if choices}
    return [
        {**options, **dict(zip(named, chosen, strict=True))}
        for chosen in itertools.product(*named.values())
    ]


def check_vary(protocols: Sequence[Callable[..., object]], vary: Sequence[str]) -> None:
    """Raise StudyError for an option to vary that no protocol of a study has."""
    if isinstance(vary, str):
        raise StudyError(f"what a study varies is a list of options, such as [{vary!r}]")
    for option in vary:
        if not any(values_of(protocol, option) for protocol in protocols):
            names = ", ".join(sorted({getattr(each, "__name__", repr(each)) for each in protocols}))
            raise StudyError(f"{option!r} is to be varied, and {names} has no such option")
