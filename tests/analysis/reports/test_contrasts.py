"""What sets arms of LeaP apart: which two are a contrast, by what name, and how large it is."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from analysis.read.answers import AnswerRecord, Answers, Plays
from analysis.reports.contrasts import PATHS, TURNS_OF_SEGMENTED, ContrastRow, contrast_rows
from analysis.reports.tables.answers import NONE_READ, contrasts_blocks
from protocols import named
from protocols.leap import leap
from protocols.leap_segmented import leap_segmented

WHOLE, CUT, ALONE = {"communication": "uncut"}, {"communication": "never"}, {"router": "none"}
PLAIN = {**WHOLE, "prompt": "plain"}
LADDER: Mapping[str, Mapping[str, object]] = {
    "independent": PLAIN,
    "prompt only": WHOLE,
    "no block": CUT,
    "no peers": ALONE,
    "leap": {},
}
# Right paths of two, by arm and question.
RIGHT = {
    "independent": (2, 2, 2, 1),
    "prompt only": (1, 0, 1, 0),
    "no block": (1, 0, 0, 1),
    "no peers": (0, 1, 1, 0),
    "leap": (2, 1, 1, 2),
}


def record(
    arms: Mapping[str, Mapping[str, object] | None],
    protocols: Sequence[str] = (),
    models: Sequence[str] = (),
    right: Mapping[str, Sequence[int]] = RIGHT,
) -> AnswerRecord:
    """Return a study of four questions; every arm has two paths and is right if any of them is."""
    labels = tuple(arms)
    protocols = protocols or ["leap"] * len(labels)
    seated = tuple(models) or ("m",) * len(labels)
    who = sorted(set(seated))
    hits = np.array([right.get(label, RIGHT["leap"]) for label in labels]).reshape(-1)
    n = hits.size
    zeros, names = np.zeros(n), np.full(n, "", dtype=object)
    arm = np.repeat(np.arange(len(labels)), 4)
    codes = {"arm": arm, "models": np.array([who.index(seated[number]) for number in arm])}
    codes |= {"question": np.tile(np.arange(4), len(labels)), "repeat": np.zeros(n, dtype=int)}
    numbers = ["confidence", "answered", "calls", "tokens_in", "tokens_out", "cost_usd", "routes"]
    plays = Plays(
        **codes,
        **dict.fromkeys(numbers, zeros),
        **dict.fromkeys(("status", "episode", "subject"), names),
        correct=(hits > 0).astype(float),
    )
    told = np.ones(2 * n, dtype=bool)
    answers = Answers(
        play=np.repeat(np.arange(n), 2),
        seat=np.tile([1, 2], n),
        final=~told,
        **dict.fromkeys(("path", "first", "last"), told),
        correct=np.stack((hits > 0, hits > 1), axis=1).astype(float).reshape(-1),
        confidence=np.full(2 * n, np.nan),
        vote=np.zeros(2 * n, dtype=int),
    )
    kept = (tuple(protocols), tuple(who), 4, plays, answers, (), ())
    return AnswerRecord("s", True, None, labels, *kept, options=tuple(arms.values()))


def names(rows: Sequence[ContrastRow]) -> list[tuple[str, str, str]]:
    return [(row.isolates, row.arm, row.against) for row in rows]


def test_each_step_from_independent_paths_to_leap_has_its_name() -> None:
    expected = [
        ("the prompt", "prompt only", "independent"),
        ("the cuts", "no block", "prompt only"),
        ("the block", "no peers", "no block"),
        ("the peers", "leap", "no peers"),
        ("all together", "leap", "independent"),
    ]
    assert names(contrast_rows(record(LADDER))) == expected
    # Whatever the arms are called, and in whatever order they stand.
    turned = dict(reversed(LADDER.items()))
    assert names(contrast_rows(record(turned))) == expected


def test_paths_are_compared_question_by_question_by_hand() -> None:
    """Of the peers, +1, 0, 0 and +1 of the paths: a mean of .5 with sd 1/sqrt(3), over 4."""
    prompt, _, _, peers, whole = contrast_rows(record(LADDER))
    assert (peers.paths.mean, peers.paths.clusters) == (0.5, 4)
    half = 3.182446 * 1 / sqrt(3) / 2
    assert peers.paths.ci_low == pytest.approx(0.5 - half, abs=1e-6)
    assert peers.paths.ci_high == 1.0
    assert (prompt.paths.mean, whole.paths.mean) == (-0.625, pytest.approx(-0.125))
    # Right with any path: 4 of 4 with peers, 2 of 4 without.
    assert (peers.final.all.mean, peers.final.better, peers.final.worse) == (0.5, 2, 0)
    # Holm over the five: the smallest p counts five times.
    assert prompt.paths_p_holm == pytest.approx(5 * prompt.paths.p)


@pytest.mark.parametrize(
    ("arms", "protocols", "expected"),
    [
        # What 0.1.0 played, and what has no arm between its ends.
        ({"a": {"paths": 4}, "b": {}}, ("self_consistency", "leap"), ["all together"]),
        ({"a": {"paths": 4}, "b": {}}, ("self_consistency", "leap_segmented"), ["all together"]),
        # By default they have 16 and 4 paths.
        ({"a": {}, "b": {}}, ("self_consistency", "leap"), []),
        ({"a": PLAIN, "b": ALONE}, ("leap", "leap"), []),
        ({"a": WHOLE, "b": ALONE}, ("leap", "leap"), ["cuts and block"]),
        ({"a": {"turns": 1}, "b": ALONE}, ("leap_segmented",) * 2, ["cuts and block"]),
        ({"a": ALONE, "b": {"router": "all"}}, ("leap", "leap"), ["the peers"]),
        ({"a": ALONE, "b": {}}, ("leap", "leap_segmented"), []),
        ({"a": ALONE, "b": {"turns": 8}}, ("leap", "leap"), []),
        ({"a": ALONE, "b": {"communication": "once"}}, ("leap", "leap"), []),
        ({"a": ALONE, "b": {"prompt": "plain"}}, ("leap", "leap"), []),
        ({"a": ALONE, "b": None}, ("leap", "leap"), []),
        ({"a": {}, "b": {"router": "all"}}, ("leap", "leap"), []),
        ({"a": {}, "b": {}}, ("self_consistency", "moa"), []),
    ],
)
def test_arms_that_differ_in_more_or_in_nothing_are_no_contrast(
    arms: dict[str, Mapping[str, object] | None], protocols: Sequence[str], expected: list[str]
) -> None:
    assert [row.isolates for row in contrast_rows(record(arms, protocols))] == expected


def test_arms_of_two_models_are_no_contrast_but_longer_replies_of_one_are() -> None:
    pair = {"a": ALONE, "b": {}}
    assert contrast_rows(record(pair, models=("m", "n"))) == ()
    assert names(contrast_rows(record(pair, models=("m [max_tokens=9]", "m")))) == [
        ("the peers", "b", "a")
    ]


def test_a_comparison_without_control_arms_says_so() -> None:
    def notes(arms: Mapping[str, Mapping[str, object]]) -> str:
        return " ".join(
            note for block in contrasts_blocks(contrast_rows(record(arms))) for note in block.notes
        )

    assert "NO CONTROL ARMS" in notes({"independent": PLAIN, "leap": {}})
    assert "NO CONTROL ARMS" not in notes(LADDER)


def test_the_defaults_are_those_of_the_protocols() -> None:
    for name, paths in PATHS.items():
        assert inspect.signature(named(name)).parameters["paths"].default == paths
    turns = inspect.signature(leap_segmented).parameters["turns"].default
    assert turns == TURNS_OF_SEGMENTED
    defaults = inspect.signature(leap).parameters
    assert (defaults["communication"].default, defaults["prompt"].default) == ("every", "tags")


def unread(of: AnswerRecord, label: str) -> AnswerRecord:
    """Return the record with no answer of one arm that can be read."""
    arm = of.plays.arm == of.arms.index(label)
    plays = replace(of.plays, correct=np.where(arm, np.nan, of.plays.correct))
    mine = arm[of.all_answers.play]
    correct = np.where(mine, np.nan, of.all_answers.correct)
    return replace(of, plays=plays, all_answers=replace(of.all_answers, correct=correct))


def test_nothing_is_compared_with_an_arm_of_which_no_answer_can_be_read() -> None:
    found = unread(record(LADDER), "no peers")
    rows = {(row.arm, row.against): row for row in contrast_rows(found)}
    row = rows["leap", "no peers"]
    assert row.final.questions == 4
    assert np.isnan([row.final.all.mean, row.final.p, row.paths.mean]).all()
    assert not np.isnan(rows["no block", "prompt only"].final.all.mean)
    blocks = {block.title: block for block in contrasts_blocks(tuple(rows.values())) if block}
    assert NONE_READ in str(blocks["What sets the arms apart: final answers"])
