"""Two studies play by play: who has a partner, by hand; the differences against scipy; the
published data against its files; the command.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from analysis.reports.comparison import compare
from analysis.reports.play_pairs import pairs
from analysis.statistics.matching import match_keys, mean_by_key, partners
from arena.cli.main import main
from arena.errors import StudyError
from arena.imports import import_llms_overconfidence
from tests.publication import folder, plain_debates

# Whole stores are played and reported here, which takes seconds.
pytestmark = pytest.mark.slow

Add = Callable[..., Path]
keys = st.lists(st.sampled_from("abcde") | st.none(), max_size=12)


def debate(subject: str | None, ratings: list[tuple[Any, ...]], **more: Any) -> dict[str, Any]:
    return {"subject": subject, "ratings": ratings, "phases": ("opening", "closing"), **more}


def two_studies(add: Add, **more: Any) -> Path:
    """Three motions in both, in the second all ratings of the closing 10 higher but one; a fourth
    motion in the first alone.
    """
    add("before", *(debate(f"motion {k}", [(50, 60 + k), (60, 70)]) for k in range(4)))
    return add(
        "after",
        *(debate(f"motion {k}", [(50, 70 + k), (60, 80 if k else 90)], **more) for k in range(3)),
    )


@given(keys, keys)
def test_every_play_is_matched_or_counted(left: list[str | None], right: list[str | None]) -> None:
    found = match_keys([key and (key,) for key in left], [key and (key,) for key in right])
    common = set(left) & set(right) - {None}
    assert found.keys == len(common)
    assert found.left.tolist() == [row for row, key in enumerate(left) if key in common]
    assert (found.left_only, found.right_only) == (
        len(left) - len(found.left),
        len(right) - len(found.right),
    )
    assert found.shared == sum(left.count(key) > 1 or right.count(key) > 1 for key in common)


@given(keys, keys)
def test_partners_have_one_key_and_nobody_stands_in_two_pairs(
    left: list[str | None], right: list[str | None]
) -> None:
    names = [f"{number:02}" for number in range(12)]
    made = partners(
        match_keys([key and (key,) for key in left], [key and (key,) for key in right]),
        names,
        names,
    )
    assert all(
        left[one] == right[other]
        and alone == (left.count(left[one]) == right.count(left[one]) == 1)
        for one, other, alone in made
    )
    assert len({one for one, _, _ in made}) == len({other for _, other, _ in made}) == len(made)
    assert len(made) == sum(
        min(left.count(key), right.count(key)) for key in set(left) & set(right) - {None}
    )


def test_means_by_key_leave_out_what_is_missing() -> None:
    found = mean_by_key(
        np.array([[0.2, np.nan], [0.4, np.nan], [np.nan, 0.5]]), np.array([0, 0, 1]), 3
    )
    np.testing.assert_allclose(found, [[0.3, np.nan], [np.nan, 0.5], [np.nan, np.nan]])


def test_three_matched_debates_by_hand(add: Add) -> None:
    found = compare(two_studies(add), "before", "after")["debates"]
    assert (
        found["plays"],
        found["pairs"],
        found["only_a"],
        found["only_b"],
        found["keys_shared"],
    ) == ([4, 3], 3, 1, 0, 0)
    opening, closing = found["phases"]
    assert (opening["mean"], opening["n"], opening["p"]) == (0, 6, None)
    assert (closing["a"], closing["b"], closing["mean"]) == pytest.approx(
        ((61 + 70) / 200, (71 + 80) / 200 + 1 / 60, 7 / 60)
    )
    assert found["rise"]["mean"] == closing["mean"]
    assert closing["p"] == pytest.approx(ttest_rel([0.8, 0.755, 0.76], [0.65, 0.655, 0.66]).pvalue)
    assert (found["both"]["debates"], found["both"]["above_75"], found["both"]["p_exact"]) == (
        [3, 3],
        [0, 0],
        1,
    )


def test_repeats_models_and_seats_must_be_the_same(add: Add) -> None:
    add(
        "a",
        debate("m", [(50, 60), (50, 60)], repeat=0),
        debate("m", [(50, 80), (50, 80)], repeat=1),
    )
    path = add(
        "b",
        debate("m", [(50, 90), (50, 90)], repeat=1),
        debate("m", [(50, 61), (50, 61)], models=("m/b", "m/a")),
    )
    assert compare(path, "a", "b")["debates"]["phases"][1]["mean"] == pytest.approx(0.1)
    found = compare(path, "a", "b", by="subject")["debates"]
    assert found["pairs"] == 2
    assert found["phases"][1]["mean"] == pytest.approx((0.1 + 0.01) / 2)
    assert found["contestants"] == [["m/a", "m/b"], ["m/a", "m/b"]]


def test_unknown_subjects_have_no_partner(add: Add) -> None:
    add("a", debate(None, [(50, 60), (50, 60)]))
    found = compare(add("b", debate(None, [(50, 60), (50, 60)])), "a", "b")["debates"]
    assert (
        found["pairs"],
        found["only_a"],
        found["phases"][0]["n"],
        found["phases"][0]["mean"],
    ) == (0, 1, 0, None)


def test_several_plays_of_one_key_stand_with_their_mean_whatever_their_order(add: Add) -> None:
    one, other = debate("m", [(50, 60), (50, 60)]), debate("m", [(50, 80), (50, 90)])
    add("a", one, other)
    add("b", other, one)
    path = add("c", debate("m", [(50, 70), (50, 75)]))
    assert compare(path, "a", "c")["debates"]["phases"][1]["mean"] == pytest.approx(0)
    found = compare(path, "a", "b")["debates"]
    assert (found["phases"][1]["mean"], found["keys_shared"], found["outcomes"]) == (0, 1, None)
    assert len(pairs(path, "a", "b")) == 2
    assert len(pairs(path, "a", "c")) == 1


def test_only_arms_of_one_name_are_compared_where_there_are_any(add: Add) -> None:
    add(
        "a",
        debate("m", [(50, 60), (50, 60)], arm="private"),
        debate("m", [(50, 90), (50, 90)], arm="public"),
    )
    path = add(
        "b",
        debate("m", [(50, 70), (50, 70)], arm="private"),
        debate("m", [(50, 10), (50, 10)], arm="shown"),
    )
    found = compare(path, "a", "b")["debates"]
    assert (found["pairs"], found["only_a"], found["only_b"]) == (1, 1, 1)
    assert found["phases"][1]["mean"] == pytest.approx(0.1)


def test_who_won_and_both_sides_sure_are_counted_where_they_changed(add: Add) -> None:
    won = {"votes": [("proposition", 0.8)]}
    add(
        "a",
        *(debate(f"m{k}", [(50, 80), (50, 80)], **won) for k in range(4)),
        debate("m4", [(50, 60), (50, 80)]),
    )
    others = [{"votes": [(winner, 0.8)]} for winner in ("proposition", "opposition", "opposition")]
    path = add(
        "b",
        *(debate(f"m{k}", [(50, 80), (50, 70)], **votes) for k, votes in enumerate(others)),
        debate("m4", [(50, 80), (50, 80)]),
    )
    found = compare(path, "a", "b")["debates"]
    assert found["outcomes"] == {
        "judged": 3,
        "changed": 2,
        "changes": [{"a": "proposition", "b": "opposition", "n": 2}],
    }
    both = found["both"]
    assert (both["above_75"], both["only_a"], both["only_b"], both["p_exact"]) == (
        [3, 1],
        3,
        1,
        pytest.approx(2 * 5 / 16),
    )
    rows = pairs(path, "a", "b")
    assert [row.differs for row in rows] == [True] * 4
    assert (rows[1].outcome, rows[1].other_outcome, rows[1].difference) == (
        "proposition",
        "opposition",
        pytest.approx(-0.05),
    )


def test_answers_are_compared_question_by_question(solve: Add) -> None:
    """Of four common questions one gets right, one wrong, one unreadable; a fifth is alone."""
    right, wrong, unreadable = ("4", True, 0.9), ("5", False, 0.7), (None, None, None)
    solve(
        "a",
        *(
            {"question": k, "final": final}
            for k, final in enumerate((wrong, right, right, right, right))
        ),
    )
    path = solve(
        "b",
        *(
            {"question": k, "final": final}
            for k, final in enumerate((right, wrong, unreadable, right))
        ),
    )
    found = compare(path, "a", "b")["answers"]
    assert (found["plays"], found["pairs"], found["only_a"], found["questions"]) == (
        [5, 4],
        4,
        1,
        4,
    )
    assert (found["a"], found["b"], found["mean"], found["better"], found["worse"]) == (
        0.75,
        0.5,
        -0.25,
        1,
        2,
    )
    flips = [(row["a"], row["b"], row["n"]) for row in found["flips"]]
    assert flips == [("right", "unreadable", 1), ("right", "wrong", 1), ("wrong", "right", 1)]
    assert (found["confidence"]["n"], found["confidence"]["mean"]) == (3, pytest.approx(0))
    assert [(row.outcome, row.other_outcome, row.differs) for row in pairs(path, "a", "b")][2:] == [
        ("right", "unreadable", True),
        ("right", "right", False),
    ]


def test_arms_of_questions_are_one_family_and_other_models_need_by_subject(solve: Add) -> None:
    both = [
        {"question": k, "arm": arm, "final": ("5", False, None)}
        for arm in ("one", "two")
        for k in range(5)
    ]
    solve("a", *both)
    better = [
        play | {"final": ("4", True, None)} if play["arm"] == "two" else play for play in both
    ]
    path = solve("b", *better)
    solve("c", *(play | {"model": "m/new"} for play in better))
    rows = compare(path, "a", "b")["answers"]["arms"]
    assert [
        (row["arm"], row["mean"], row["better"], row["p_exact"], row["p_holm"]) for row in rows
    ] == [
        ("one", 0, 0, 1, 1),
        ("two", 1, 5, 0.0625, 0.125),
    ]
    assert compare(path, "b", "c")["answers"]["pairs"] == 0
    other = compare(path, "b", "c", by="subject")["answers"]
    assert (other["pairs"], other["mean"], other["contestants"]) == (10, 0, [["m/a"], ["m/new"]])


def test_what_cannot_be_compared_is_said_in_one_sentence(add: Add, solve: Add) -> None:
    add("debates", debate("m", [(50, 60), (50, 60)]))
    path = solve("questions", {})
    with pytest.raises(StudyError, match="'debates' has debates and 'questions' has answers"):
        compare(path, "debates", "questions")
    with pytest.raises(StudyError, match="twice"):
        compare(path, "debates", "debates")
    with pytest.raises(StudyError, match="there is no study 'none'"):
        compare(path, "debates", "none")


def test_the_command_prints_tables_and_json(add: Add, capsys: pytest.CaptureFixture[str]) -> None:
    path = two_studies(add, votes=[("proposition", 0.8)])
    add("dry", debate("motion 0", [(50, 60), (50, 99)]), simulated=True)
    assert main(["compare", "before", "after", "--db", str(path), "--pairs", "--rules"]) == 0
    text = capsys.readouterr().out
    for words in (
        "3 pairs, from 3 of 4 debates of A and 3 of 3 of B",
        "+11.7",
        "No pair differs",
        "pairs: Plays",
    ):
        assert words in text
    assert max(map(len, text.splitlines())) <= 100
    assert main(["compare", "before", "dry", "--db", str(path), "--pairs", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["simulated"], len(found["pairs"]), found["pairs"][0]["kind"]) == (
        ["dry"],
        1,
        "debate",
    )
    assert main(["compare", "before", "dry", "--db", str(path)]) == 0
    assert "SIMULATED models spoke in dry" in capsys.readouterr().out
    assert main(["compare", "before", "gone", "--db", str(path)]) == 2


def test_published_debates_on_the_same_motions_as_the_files_have_them(tmp_path: Path) -> None:
    """Each motion's mean in debates between different models, against that in debates of models
    with themselves.
    """
    path = tmp_path / "arena.duckdb"
    import_llms_overconfidence(folder(), path)
    means = []
    for study in ("cross_model", "self"):
        stated: dict[tuple[str, str], list[float]] = {}
        for debate in plain_debates(study):
            for side in ("proposition", "opposition"):
                if (rating := debate.rating(side, "closing")) is not None:
                    stated.setdefault((debate.motion, side), []).append(rating)
        means.append({key: np.mean(ratings) for key, ratings in stated.items()})
    common = sorted(set(means[0]) & set(means[1]))
    found = compare(path, "cross_model", "self", by="subject")["debates"]
    assert (found["pairs"], found["phases"][2]["n"], len(common)) == (3, 6, 6)
    change = np.array([means[1][key] - means[0][key] for key in common]).reshape(3, 2).mean(axis=1)
    assert found["phases"][2]["mean"] == pytest.approx(change.mean())
    assert found["phases"][2]["p"] == pytest.approx(ttest_rel(change, np.zeros(3)).pvalue)
    assert compare(path, "cross_model", "self")["debates"]["pairs"] == 0
