"""Routers against hand tables, and against the rules of the published code written out naively."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.errors import StudyError
from protocols.routing import route, similarities

# Indel similarities to the first: 1/2 (ab, ac), 1/2 (ab, bc), 0 (ab, xy), 1 (ab, ab).
FIVE = ("ab", "ac", "bc", "xy", "ab")


@pytest.mark.parametrize(
    ("router", "top_k", "first"),
    [
        ("dispersed", 1, [3]),
        ("dispersed", 2, [3, 1]),
        ("dispersed", 9, [3, 1, 2, 4]),
        ("clustered", 1, [4]),
        ("clustered", 2, [4, 1]),
        ("clustered", 9, [4, 1, 2, 3]),
        ("hybrid", 1, [4]),
        ("hybrid", 2, [3, 4]),
        ("hybrid", 3, [3, 4, 1]),
        ("hybrid", 6, [3, 1, 2, 4, 1, 2]),
        ("all", 1, [1, 2, 3, 4]),
        ("hybrid", -1, [1, 2, 3, 4]),
    ],
)
def test_routers_show_these_peers_in_this_order(router: str, top_k: int, first: list[int]) -> None:
    assert route(FIVE, router=router, top_k=top_k)[0] == first


def test_the_two_similarities_are_those_of_the_code_and_of_the_paper() -> None:
    texts = ["kitten", "sitting", "", "", "naïve", "naive"]
    indel, paper = similarities(texts), similarities(texts, similarity="levenshtein")
    assert (indel[0, 1], paper[0, 1]) == (1 - 5 / 13, 1 - 3 / 7)
    assert (indel[2, 3], paper[2, 3], indel[0, 2], paper[0, 2]) == (1, 1, 0, 0)
    assert (indel[4, 5], paper[4, 5]) == (pytest.approx(0.8), pytest.approx(0.8))
    assert (indel == indel.T).all()
    assert similarities([]).shape == (0, 0)


def test_the_similarity_decides_who_is_near() -> None:
    """abcd is nearer to bcda by indels (6/8 against 4/6), and nearer to ab by edits (1/2 either
    way, so the lower index).
    """
    texts = ["abcd", "ab", "bcda"]
    assert route(texts, router="clustered", top_k=1)[0] == [2]
    assert route(texts, router="clustered", top_k=1, similarity="levenshtein")[0] == [1]


def test_random_peers_are_one_draw_for_each_path_in_order() -> None:
    drawn = route(FIVE, router="random", top_k=2, rng=random.Random(7))
    again = random.Random(7)
    assert drawn == [
        again.sample([peer for peer in range(5) if peer != path], 2) for path in range(5)
    ]
    assert [
        len(peers) for peers in route(FIVE, router="random", top_k=9, rng=random.Random(7))
    ] == [4] * 5


@pytest.mark.parametrize("router", ["dispersed", "clustered", "hybrid", "random", "all"])
def test_a_path_alone_reads_nobody(router: str) -> None:
    assert route(["alone"], router=router, top_k=4, rng=random.Random(1)) == [[]]
    assert route([], router=router, top_k=4, rng=random.Random(1)) == []


@pytest.mark.parametrize(
    ("router", "top_k", "similarity", "words"),
    [
        ("similar", 2, "indel", "no router 'similar'.*dispersed, clustered, hybrid, random, all"),
        ("all", 2, "cosine", "no similarity 'cosine'.*indel, levenshtein"),
        ("dispersed", 0, "indel", "top_k is 0"),
        ("dispersed", -2, "indel", "top_k is -2"),
        ("random", 2, "indel", "pass rng="),
    ],
)
def test_options_that_no_router_has_are_refused(
    router: str, top_k: int, similarity: str, words: str
) -> None:
    with pytest.raises(StudyError, match=words):
        route(FIVE, router=router, top_k=top_k, similarity=similarity)


def test_a_missing_rapidfuzz_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance", None)
    with pytest.raises(StudyError, match=r"pip install 'peer-arena\[peers\]'"):
        route(FIVE, router="dispersed", top_k=1)


def edits(a: str, b: str, replacement: int) -> int:
    """The cheapest way from a to b, where inserting and deleting cost 1."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        before, row = row, [i]
        for j, right in enumerate(b, 1):
            row.append(
                min(
                    before[j] + 1,
                    row[-1] + 1,
                    before[j - 1] + (0 if left == right else replacement),
                )
            )
    return row[-1]


def alike(a: str, b: str, similarity: str) -> Fraction:
    whole = len(a) + len(b) if similarity == "indel" else max(len(a), len(b))
    return (
        1 - Fraction(edits(a, b, 2 if similarity == "indel" else 1), whole)
        if whole
        else Fraction(1)
    )


def naive(texts: Sequence[str], router: str, k: int, seed: int, similarity: str) -> list[list[int]]:
    """The rules of ../shared/facts/leap.md, section 1, in exact fractions and sorts by (similarity,
    index).
    """
    draw, found = random.Random(seed), []
    for me in range(len(texts)):
        others = [i for i in range(len(texts)) if i != me]
        up = sorted(others, key=lambda i: (alike(texts[me], texts[i], similarity), i))
        down = sorted(others, key=lambda i: (-alike(texts[me], texts[i], similarity), i))
        if k == -1 or router == "all":
            found.append(others)
        elif router == "random":
            found.append(draw.sample(others, min(k, len(texts) - 1)))
        else:
            found.append(
                {
                    "dispersed": up[:k],
                    "clustered": down[:k],
                    "hybrid": up[: k // 2] + down[: k - k // 2],
                }[router]
            )
    return found


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_routers_agree_with_the_rules_of_the_published_code(data: st.DataObject) -> None:
    """Small alphabets and short texts, so that ties and empty summaries abound; letters beyond the
    BMP count once.
    """
    texts = data.draw(st.lists(st.text(alphabet="abé😀", max_size=5), max_size=7))
    k = data.draw(st.integers(-1, len(texts) + 2).filter(bool))
    router = data.draw(st.sampled_from(["dispersed", "clustered", "hybrid", "random", "all"]))
    similarity = data.draw(st.sampled_from(["indel", "levenshtein"]))
    found = route(texts, router=router, top_k=k, rng=random.Random(3), similarity=similarity)
    assert found == naive(texts, router, k, 3, similarity)
    table = similarities(texts, similarity=similarity)
    assert all(
        table[i, j] == pytest.approx(float(alike(a, b, similarity)))
        for i, a in enumerate(texts)
        for j, b in enumerate(texts)
    )
