"""Choose which peers' summaries a path reads: the routers of LeaP.

"Learning from Peers in Reasoning Models" (LeaP), Tongxu Luo et al., arXiv 2505.07787, section on
routing; the semantics are those of the published code (tongxuluo/LeaP, commit 589ff64), which
differs from the paper: similarity is the indel ratio and not equation 4, and the hybrid router
lists a peer twice if it is among the most and the least similar.  Both similarities are here,
`indel` by default.

Different: a random router draws from the generator that it is given, and not from one that all
paths of all questions share.  Ours: `none`, the control for what peers say.  `route` and
`similarities` are pure functions; `route_peers` takes them to the paths of an episode and records
each summary that is shown.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from arena.errors import StudyError
from arena.play.episode import Episode
from arena.play.prompt import Passage, ShownTurn
from arena.types import Seat, Turn

Router = Literal["dispersed", "clustered", "hybrid", "random", "all", "none"]
Similarity = Literal["indel", "levenshtein"]
Peers = Literal[-1] | Annotated[int, Ge(1)]
ROUTERS: tuple[Router, ...] = get_args(Router)
SIMILARITIES: tuple[Similarity, ...] = get_args(Similarity)
BROADCAST = -1
# A piece of a path's reply so far.
Piece = str | Turn | ShownTurn | Passage


@dataclass
class PathState:
    """A path on its way.

    Its number and seat, the beginning of its reply so far, the lead into its last summary, and that
    summary.
    """

    number: int
    seat: Seat
    context: list[Piece]
    lead: tuple[str, str] = ("", "")
    summary: Turn | None = None
    finished: bool = False

    @property
    def last_summary(self) -> Turn:
        """Return the last summary of a path that has one."""
        assert self.summary is not None
        return self.summary


def route(
    summaries: Sequence[str],
    *,
    router: str,
    top_k: int,
    rng: random.Random | None = None,
    similarity: str = "indel",
) -> list[list[int]]:
    """Return, for each of N paths, the indices of the peers whose summaries it reads.

    They come in the order in which they are shown, and never include the path itself.  `dispersed`:
    the `top_k` least similar, the least similar first; `clustered`: the `top_k` most similar, the
    most similar first; `hybrid`: floor(k/2) of the former, then the rest of the latter, one peer
    twice if it is in both; `random`: `top_k` drawn from `rng` without replacement, path by path;
    `all`: everybody by index, as any router does with `top_k=-1`; `none`: nobody.  Equal
    similarities: the lower index first.  Fewer peers than `top_k`: all of them.  N = 0 gives [],
    N = 1 gives [[]].

    Raises StudyError for an unknown router or similarity, for a top_k other than -1 or 1 and more,
    for `random` without `rng`, and without rapidfuzz.  Source: LeaP, arXiv 2505.07787, and its
    published code.
    """
    _check_options(router, top_k, rng, similarity)
    paths = range(len(summaries))
    peers = [[peer for peer in paths if peer != path] for path in paths]
    if router == "none":
        return [[] for _ in paths]
    if router == "all" or top_k == BROADCAST:
        return peers
    if router == "random":
        assert rng is not None
        # Path by path from one stream, so that the draws depend on the number of paths and nothing
        # else.
        return [rng.sample(others, min(top_k, len(others))) for others in peers]
    alike = similarities(summaries, similarity=similarity)
    # Negated floats sort the other way round, and ties stay ties.
    lowest = _rank_peers(alike)
    highest = _rank_peers(-alike)
    # How many come from the least similar; the most similar fill the rest.
    low = {"dispersed": top_k, "clustered": 0, "hybrid": top_k // 2}[router]
    return [least[:low] + most[: top_k - low] for least, most in zip(lowest, highest, strict=True)]


def _rank_peers(values: NDArray[np.float64]) -> list[list[int]]:
    """Return the peers of each path by their value in its row, the lowest first."""
    # A stable sort keeps equal peers by index.
    return [
        [int(peer) for peer in np.argsort(row, kind="stable") if peer != path]
        for path, row in enumerate(values)
    ]


def similarities(summaries: Sequence[str], *, similarity: str = "indel") -> NDArray[np.float64]:
    """Return how alike each two of N summaries are.

    Shape [N, N], in [0, 1], symmetric, 1 on the diagonal; by Unicode code points.  `indel`: 1 -
    (insertions and deletions) / (sum of the lengths), which is `ratio` of the package Levenshtein
    and of the published code; `levenshtein`: 1 - (edits) / (the longer length), equation 4 of the
    paper.  Two empty summaries: 1.

    Raises StudyError for another similarity, or without rapidfuzz.
    """
    _check_choice("similarity", similarity, SIMILARITIES)
    try:
        from rapidfuzz.distance import Indel, Levenshtein
        from rapidfuzz.process import cdist
    except ImportError as error:
        raise StudyError(
            "routing by similarity needs the package rapidfuzz: pip install 'peer-arena[peers]'"
        ) from error
    score = (Indel if similarity == "indel" else Levenshtein).normalized_similarity
    texts = list(summaries)
    # With one and the same list twice, only half of the pairs are computed.
    return cdist(texts, texts, scorer=score, dtype=np.float64) if texts else np.zeros((0, 0))


def route_peers(
    episode: Episode,
    peers: Sequence[PathState],
    active: Sequence[PathState],
    turn: int,
    router: Router,
    top_k: int,
    similarity: Similarity,
    strip_lead: bool = False,
) -> dict[int, list[PathState]]:
    """Return the peers whose summaries each active path is shown, in order, by its number.

    Each of them is a row in `routes`.
    """
    summaries = [summary_for_routing(path, strip_lead) for path in peers]
    # One stream an episode: each block goes on after the one before, and replays draw the same.
    rng = episode.rng("router") if router == "random" else None
    compares = router not in ("random", "all", "none")
    alike = similarities(summaries, similarity=similarity) if compares else None
    chosen = route(summaries, router=router, top_k=top_k, rng=rng, similarity=similarity)
    shown: dict[int, list[PathState]] = {}
    for mine, path in enumerate(peers):
        # A finished path may still be read, but reads nothing itself.
        if path not in active:
            continue
        shown[path.number] = [peers[index] for index in chosen[mine]]
        for rank, index in enumerate(chosen[mine]):
            score = None if alike is None else float(alike[mine][index])
            episode.route(
                block=turn,
                path=path.number,
                peer=peers[index].number,
                rank=rank,
                router=router,
                similarity=score,
            )
    return shown


def summary_for_routing(path: PathState, strip_lead: bool) -> str:
    """Return the words of a path's summary that the router compares."""
    shown = path.last_summary.public or ""
    return shown.removeprefix(path.lead[1]).strip() if strip_lead else shown


def _check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    """Raise StudyError if an option has a value that is not one of its choices."""
    if value not in choices:
        raise StudyError(f"there is no {option} {value!r}; choose one of {', '.join(choices)}")


def _check_options(router: str, top_k: int, rng: random.Random | None, similarity: str) -> None:
    """Raise StudyError for options that no router has, even if this router would ignore them."""
    _check_choice("router", router, ROUTERS)
    _check_choice("similarity", similarity, SIMILARITIES)
    if top_k < 1 and top_k != BROADCAST:
        raise StudyError(
            f"top_k is {top_k}; give how many peers a path reads (1 or more), or -1 for all of them"
        )
    if router == "random" and rng is None:
        raise StudyError(
            "the random router draws from a generator that you give; pass rng=episode.rng(...) or"
            " rng=random.Random(seed)"
        )
