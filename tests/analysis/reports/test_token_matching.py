"""Plays are paired by the tokens that they spent: as many as there can be, none too far apart."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.scripted import scripted_model
from analysis.statistics.amounts import CALIPER, pair_groups, pair_within
from arena import Agent, Arena, Arm, Sampling, Study, Subject
from arena.cli.main import main
from arena.studies.study import plays
from arena.types import Reply, Request
from protocols.single import single

amounts = st.lists(st.integers(0, 30), max_size=5)


def fits(a: float, b: float) -> bool:
    return max(a, b) <= CALIPER * min(a, b)


@given(amounts, amounts)
def test_no_other_pairs_are_more(left: list[int], right: list[int]) -> None:
    pairs = pair_within(left, right)
    assert all(fits(left[i], right[j]) for i, j in pairs)
    for side in zip(*pairs, strict=True):
        assert len(set(side)) == len(pairs)
    few, many = sorted((left, right), key=len)
    most = max(
        sum(fits(a, b) for a, b in zip(few, chosen, strict=True))
        for chosen in permutations(many, len(few))
    )
    assert len(pairs) == most


def test_pairs_are_made_within_a_group_and_of_known_amounts() -> None:
    left = [("a", 100), ("a", 200), ("b", 100), (None, 100), ("a", None)]
    right = [("a", 240), ("c", 100), ("a", 130), (None, 100)]
    assert pair_groups(left, right) == ([None, 0, None, None, None], [0, None, None, None])


def study(name: str, tokens: list[int], answer: str) -> Study:
    """One question, played as often as there are numbers of tokens."""

    def reply(request: Request) -> Reply:
        spent = by_episode[request.place.episode]
        return Reply(f"\\boxed{{{answer}}}", tokens_in=1, tokens_out=spent)

    solver = Agent("solver", scripted_model(reply, name), sampling=Sampling(reasoning_effort="low"))
    arm = Arm("one", single, [{"solver": solver}])
    made = Study(name, [arm], [Subject("2 + 2?", "question", "4")], repeats=len(tokens))
    by_episode = {play.episode: n for play, n in zip(plays(made), tokens, strict=True)}
    return made


@pytest.mark.slow
async def test_a_comparison_at_equal_spending_says_how_its_pairs_were_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arena = Arena(tmp_path / "a.duckdb")
    await arena.play(study("short", [100, 200, 1000], "4"))
    await arena.play(study("long", [210, 900, 5000], "5"))
    command = ["compare", "short", "long", "--by", "subject", "--db", str(arena.path)]
    assert main([*command, "--json", "--pairs", "--match", "tokens"]) == 0
    found = json.loads(capsys.readouterr().out)
    answers = found["answers"]
    assert (answers["pairs"], answers["only_a"], answers["only_b"]) == (2, 1, 1)
    assert [pair["differs"] for pair in found["pairs"]] == [True, True]
    assert found["notes"] == [
        "Pairs of plays of questions are made by tokens, not by repeat: of one subject, the larger"
        " play has at most 1.25 times the generated tokens of the smaller, reasoning included; in"
        " pairs 600 tokens on average in A, 555 in B."
    ]
    assert main([*command, "--match", "tokens"]) == 0
    printed = capsys.readouterr().out
    # How pairs are made stands in the text, not between a title and the rule under it.
    words = " ".join(printed.split())
    assert words.index("====") < words.index("Pairs of plays") < words.index("2 pairs, from 2 of 3")
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answers"]["pairs"] == 3
