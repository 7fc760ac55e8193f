"""Deal the models of a study to the engines of a cluster, each engine a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def deal(
    models: Sequence[str], engines: int, dealt: Mapping[str, Sequence[int]]
) -> dict[str, tuple[int, ...]]:
    """Return the numbers of the engines, from 0 on, that hold each model.

    Models that were `dealt` before stay where they are.  The others share all engines evenly, the
    first ones with one more where that does not come out; where there are more models than
    engines, an engine holds several.
    """
    held = {model: tuple(dealt[model]) for model in models if model in dealt}
    new = [model for model in dict.fromkeys(models) if model not in held]
    load = [sum(number in numbers for numbers in held.values()) for number in range(engines)]
    for place, model in enumerate(new):
        share = max(1, engines // len(new) + (place < engines % len(new)))
        order = sorted(range(engines), key=lambda number: (load[number], number))
        held[model] = tuple(sorted(order[:share]))
        for number in held[model]:
            load[number] += 1
    return {model: held[model] for model in models}
