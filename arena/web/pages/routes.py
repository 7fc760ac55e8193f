"""Routes as a picture: who was shown whose summary, block by block.  Numbers in, points out.

Columns are paths, rows are blocks; a curve leads from the sender's summary down to the receiver, and the more alike the two summaries, the
wider and darker it is.  Under each receiver stand its senders with the similarity.  Left out: bundling of curves, which hides who is who.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

COLUMN, LEFT, TOP, LINE = 64, 74, 22, 14
# The height of a band, and how wide and dark its curves are at most: of many curves each is thinner, so that one can be followed.
FEW_CURVES, MANY_CURVES = (96, 5.0, 0.95), (220, 2.2, 0.6)
MAX_FEW_CURVES = 64
MOST_CURVES = 600
MOST_WORDS = 4


@dataclass(frozen=True, slots=True)
class Route:
    """A summary that was shown: after which block, to which path, of which, in which place, how alike (None: not compared), by what router."""

    block: int
    path: int
    peer: int
    rank: int
    similarity: float | None
    router: str | None


@dataclass(frozen=True, slots=True)
class Curve:
    """A route as an SVG path, with its width and darkness; `dashed` where the summaries were not compared."""

    d: str
    width: float
    opacity: float
    dashed: bool
    words: str


@dataclass(frozen=True, slots=True)
class Receiver:
    """A path in the row below a block: where it stands, the curves that lead to it, and its senders in words."""

    path: int
    x: float
    curves: tuple[Curve, ...]
    words: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Band:
    """One block: the rows of senders and of receivers (y), who stands there, and how many routes were not drawn."""

    block: int
    top: float
    bottom: float
    senders: tuple[tuple[int, float], ...]
    receivers: tuple[Receiver, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class RouteDiagram:
    """Routes as a picture of this size: a column for each path, a band for each block."""

    width: float
    height: float
    paths: tuple[tuple[int, float], ...]
    bands: tuple[Band, ...]


def draw_routes(routes: Sequence[Route]) -> RouteDiagram | None:
    """The picture of these routes; None where there are none.

    Of a block with more than 600 routes those of the first ranks are drawn, and the band says how many are left out.
    """
    if not routes:
        return None
    paths = sorted({route.path for route in routes} | {route.peer for route in routes})
    x = {path: LEFT + COLUMN * (place + 0.5) for place, path in enumerate(paths)}
    bands: list[Band] = []
    y = TOP + 10.0
    for block in sorted({route.block for route in routes}):
        own = sorted(
            (route for route in routes if route.block == block),
            key=lambda route: (route.rank, route.path),
        )
        bands.append(band(block, own, x, y))
        y = (
            bands[-1].bottom
            + LINE * max((len(receiver.words) for receiver in bands[-1].receivers), default=0)
            + 44
        )
    return RouteDiagram(LEFT + COLUMN * len(paths) + 8, y - 20, tuple(x.items()), tuple(bands))


def band(block: int, routes: Sequence[Route], x: dict[int, float], top: float) -> Band:
    """One block, its senders at `top`; `routes` stand by rank."""
    drawn = routes[:MOST_CURVES]
    style = FEW_CURVES if len(drawn) <= MAX_FEW_CURVES else MANY_CURVES
    bottom = top + style[0]
    receivers = []
    for path in sorted({route.path for route in routes}):
        shown = [route for route in routes if route.path == path]
        curves = tuple(curve(route, x, top, style) for route in drawn if route.path == path)
        words = tuple(
            (bottom + 26 + LINE * i, senders_words(route))
            for i, route in enumerate(shown[:MOST_WORDS])
        )
        if len(shown) > MOST_WORDS:
            words = (*words[:-1], (words[-1][0], f"… {len(shown) - MOST_WORDS + 1} more"))
        receivers.append(Receiver(path, x[path], curves, words))
    return Band(
        block,
        top,
        bottom,
        tuple((path, x[path]) for path in x),
        tuple(receivers),
        len(routes) - len(drawn),
    )


def curve(route: Route, x: dict[int, float], top: float, style: tuple[int, float, float]) -> Curve:
    """One route from the sender's summary to the receiver; `style` as in FEW and MANY."""
    height, widest, darkest = style
    start, end = x[route.peer], x[route.path]
    d = f"M{start:g} {top + 10:g}C{start:g} {top + 0.65 * height:g} {end:g} {top + 0.35 * height:g} {end:g} {top + height - 11:g}"
    words = f"path {route.peer} to path {route.path}"
    if route.similarity is None:
        return Curve(d, 1.4, darkest, True, words)
    alike = min(max(route.similarity, 0.0), 1.0)
    return Curve(
        d,
        round(0.2 * widest + 0.8 * widest * alike, 1),
        round(darkest * (0.35 + 0.65 * alike), 2),
        False,
        f"{words}: {route.similarity:.2f}",
    )


def senders_words(route: Route) -> str:
    """A sender as it stands under its receiver."""
    return (
        f"{route.peer}: {route.similarity:.2f}" if route.similarity is not None else f"{route.peer}"
    )
