"""Draw routes: which path was shown whose summary, block by block.  Numbers in, points out.

Columns are paths, rows are blocks.  A curve leads from the sender's summary down to the receiver;
the more similar the two summaries are, the wider and darker it is.  Under each receiver its senders
are listed with the similarity.  Curves are not bundled, which would hide who sends to whom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

COLUMN, LEFT, TOP, LINE = 64, 74, 22, 14
# (height of a band, greatest width and opacity of its curves): many curves are thinner and have
# more room, so that a single one can be followed.
FEW_CURVES = (96, 5.0, 0.95)
MANY_CURVES = (220, 2.2, 0.6)
MAX_FEW_CURVES = 64
MOST_CURVES = 600
MOST_WORDS = 4


@dataclass(frozen=True, slots=True)
class Route:
    """A summary of `peer` that was shown to `path` after `block`.

    `similarity` compares the summaries of both; None if they were not compared.
    """

    block: int
    path: int
    peer: int
    rank: int
    similarity: float | None
    router: str | None


@dataclass(frozen=True, slots=True)
class Curve:
    """A route as an SVG path; `dashed` if the summaries were not compared."""

    d: str
    width: float
    opacity: float
    dashed: bool
    words: str


@dataclass(frozen=True, slots=True)
class Receiver:
    """A path below a block: its position, the curves to it, and its senders as (y, text)."""

    path: int
    x: float
    curves: tuple[Curve, ...]
    words: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Band:
    """One block: the y of senders and receivers, and how many routes are not drawn."""

    block: int
    top: float
    bottom: float
    senders: tuple[tuple[int, float], ...]
    receivers: tuple[Receiver, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class RouteDiagram:
    """A picture of routes: a column for each path, a band for each block."""

    width: float
    height: float
    paths: tuple[tuple[int, float], ...]
    bands: tuple[Band, ...]


def draw_routes(routes: Sequence[Route]) -> RouteDiagram | None:
    """Return the picture of these routes; None without routes.

    Of a block with more than MOST_CURVES routes the first ranks are drawn, and the band counts the
    rest.
    """
    if not routes:
        return None
    paths = sorted({route.path for route in routes} | {route.peer for route in routes})
    x = {path: LEFT + COLUMN * (place + 0.5) for place, path in enumerate(paths)}
    bands: list[Band] = []
    y = TOP + 10.0
    for block in sorted({route.block for route in routes}):
        # By rank, so that the cut to MOST_CURVES keeps the first senders of every path.
        own = sorted(
            (route for route in routes if route.block == block),
            key=lambda route: (route.rank, route.path),
        )
        bands.append(band(block, own, x, y))
        lines = max((len(receiver.words) for receiver in bands[-1].receivers), default=0)
        y = bands[-1].bottom + LINE * lines + 44
    return RouteDiagram(LEFT + COLUMN * len(paths) + 8, y - 20, tuple(x.items()), tuple(bands))


def band(block: int, routes: Sequence[Route], x: dict[int, float], top: float) -> Band:
    """Return one block with its senders at y `top`; `routes` are sorted by rank."""
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
    left_out = len(routes) - len(drawn)
    return Band(block, top, bottom, tuple(x.items()), tuple(receivers), left_out)


def curve(route: Route, x: dict[int, float], top: float, style: tuple[int, float, float]) -> Curve:
    """Return one route as a curve; `style` is FEW_CURVES or MANY_CURVES."""
    height, widest, darkest = style
    start, end = x[route.peer], x[route.path]
    # A cubic Bezier curve that leaves and arrives vertically.
    d = (
        f"M{start:g} {top + 10:g}C{start:g} {top + 0.65 * height:g}"
        f" {end:g} {top + 0.35 * height:g} {end:g} {top + height - 11:g}"
    )
    words = f"path {route.peer} to path {route.path}"
    if route.similarity is None:
        return Curve(d, 1.4, darkest, True, words)
    alike = min(max(route.similarity, 0.0), 1.0)
    width = round(0.2 * widest + 0.8 * widest * alike, 1)
    opacity = round(darkest * (0.35 + 0.65 * alike), 2)
    return Curve(d, width, opacity, False, f"{words}: {route.similarity:.2f}")


def senders_words(route: Route) -> str:
    """Return the label of a sender under its receiver."""
    return str(route.peer) if route.similarity is None else f"{route.peer}: {route.similarity:.2f}"
