"""The answers section of the report: numbers of small studies that can be counted by hand, and how
they are printed.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.scripted import scripted_model
from analysis.read.selection import Selection
from analysis.reports.debates import report, study_reports
from analysis.reports.tables.debates import print_report
from arena import Agent, Answer, Arena, Arm, Seat, Study, Subject
from arena.cli.main import main
from arena.errors import StudyError
from arena.store.database import query

# Whole stores are played and reported here, which takes seconds.
pytestmark = pytest.mark.slow

VERSION = "1"
Add = Callable[..., Path]
RIGHT, WRONG, LOST = ("4", True, 0.9), ("5", False, 0.6), (None, None, None)
KEYS = "study simulated origin episodes answers missing rules by pooled"
ARM = (
    "arm protocol questions plays correct unreadable accuracy ci_low ci_high"
    " of_readable of_readable_ci_low of_readable_ci_high"
)
SPENT = (
    "calls answered tokens_in tokens_in_unknown tokens_out tokens_out_unknown"
    " cost_usd cost_usd_unknown routes"
)
ONE, EIGHT = [(50, 100, 0.001)], [(50, 100, 0.001)] * 8
DEBATE = {"ratings": [(60, 70, 80), (50, 60, 70)]}


def answers(path: Path, study: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = report(path, study)[0]["answers"]
    return found


def printed(path: Path) -> str:
    out = io.StringIO()
    print_report(study_reports(path), out)
    return out.getvalue()


def two_arms(**more: object) -> list[dict[str, Any]]:
    """Six questions: alone, three right and one unreadable; with three paths, five right."""
    alone = [RIGHT, RIGHT, RIGHT, WRONG, WRONG, LOST]
    voted = [RIGHT, RIGHT, WRONG, RIGHT, RIGHT, RIGHT]
    paths = [
        [RIGHT, RIGHT, WRONG],
        [RIGHT, WRONG, RIGHT],
        [WRONG, WRONG, RIGHT],
        [RIGHT, RIGHT, LOST],
        [RIGHT] * 3,
        [RIGHT, LOST, LOST],
    ]
    plays: list[dict[str, Any]] = [
        {"question": k, "final": final, "calls": ONE, **more} for k, final in enumerate(alone)
    ]
    for k, (final, said) in enumerate(zip(voted, paths, strict=True)):
        plays.append(
            {"arm": "vote", "question": k, "final": final, "paths": said, "calls": EIGHT, **more}
        )
    return plays


def test_the_keys_are_a_promise(solve: Add) -> None:
    [found] = report(solve("s", *two_arms()))
    assert sorted(found) == sorted(KEYS.split())
    assert found["episodes"] == {"done": 12, "failed": 0, "open": 0}
    assert sorted(found["answers"]) == sorted(
        [
            "questions",
            "episodes",
            "arms",
            "by_model",
            "differences",
            "contrasts",
            "flips",
            "flip_contrasts",
            "budget",
            "pooled",
        ]
    )
    row = found["answers"]["arms"][0]
    assert sorted(row) == sorted(
        [*ARM.split(), *SPENT.split(), "unreadable_because", "paths", "changes", "calibration"]
    )
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_an_arm_that_was_played_with_other_options_is_called_pooled(tmp_path: Path) -> None:
    async def guess(episode: object, question: Subject, solver: Seat, *, extra: int = 0) -> Answer:
        said = await episode.ask(solver, question.text, phase="a")  # type: ignore[attr-defined]
        return Answer(solver.name, said.public)

    arena, lineup = (
        Arena(tmp_path / "a.duckdb"),
        {"solver": Agent("s", scripted_model(lambda request: "4"))},
    )
    for extra in (0, 1):
        assert not (extra and "POOLED" in printed(arena.path))
        arena.run(
            Study(
                "s",
                [Arm("a", guess, [lineup], {"extra": extra})],
                [Subject("2+2?", "question", "4")],
            ),
            watch=lambda tally: None,
        )
    # What the earlier plan played is a leftover, and pooled only where leftovers count.
    assert answers(arena.path)["pooled"] == []
    [both] = study_reports(arena.path, selection=Selection(leftovers=True))
    assert both.answers is not None
    assert both.answers.pooled == ("a",)
    out = io.StringIO()
    print_report([both], out)
    assert "POOLED: plays with different options of a" in out.getvalue()


def test_accuracy_both_ways_by_hand_and_as_the_view_has_it(solve: Add) -> None:
    path = solve("s", *two_arms())
    alone, vote = answers(path)["arms"]
    assert (alone["accuracy"], alone["of_readable"], alone["unreadable"]) == (0.5, 0.6, 1)
    assert alone["unreadable_because"] == {"no answer": 1}
    assert alone["ci_low"] < 0.5 < alone["ci_high"]
    assert vote["accuracy"] == pytest.approx(5 / 6)
    columns = "accuracy, accuracy_of_readable, tokens_out_per_question, cost_usd_per_question"
    seen = query(path, f"select {columns} from accuracy order by arm").rows
    assert seen[0] == pytest.approx(
        (alone["accuracy"], alone["of_readable"], alone["tokens_out"], alone["cost_usd"])
    )
    assert seen[1] == pytest.approx(
        (vote["accuracy"], vote["of_readable"], vote["tokens_out"], vote["cost_usd"])
    )


def test_arms_are_compared_question_by_question(solve: Add) -> None:
    """Questions 3, 4, 5 are better with a vote, question 2 is worse: p is 2 (1 + 4) / 16."""
    [row] = answers(solve("s", *two_arms()))["differences"]
    assert (row["arm"], row["against"], row["questions"], row["better"], row["worse"]) == (
        "vote",
        "single",
        6,
        3,
        1,
    )
    assert (row["mean"], row["of_readable"]) == pytest.approx((2 / 6, 5 / 6 - 3 / 5))
    assert (row["p_exact"], row["p_mid"]) == pytest.approx((10 / 16, 6 / 16))


def test_the_pairs_of_arms_are_one_family(solve: Add) -> None:
    """Six questions, one arm always wrong and two always right: p is 2 / 64 for two pairs of three,
    and 1 for the third.
    """
    plays = [
        {"question": k, "arm": arm, "final": ("4", arm != "one", None)}
        for arm in ("one", "three", "two")
        for k in range(6)
    ]
    path = solve("s", *plays)
    assert [row["p_exact"] for row in answers(path)["differences"]] == [1 / 32, 1 / 32, 1]
    assert [row["p_holm"] for row in answers(path)["differences"]] == [3 / 32, 3 / 32, 1]
    assert "0.094" in printed(path)


def test_unequal_budgets_are_named(solve: Add) -> None:
    path = solve("s", *two_arms())
    budget = answers(path)["budget"]
    assert (budget["answered"]["equal"], budget["tokens_out"]["equal"]) == (False, False)
    assert budget["tokens_out"]["by_arm"] == {"single": 100, "vote": 800}
    assert (
        "NOT THE SAME BUDGET: calls with a reply per question from 1.0 (single) to 8.0 (vote)."
        in printed(path)
    )


def test_equal_and_unknown_budgets_are_told_apart(solve: Add) -> None:
    assert answers(solve("equal", *two_arms(calls=ONE)))["budget"]["notes"] == []
    path = solve("unknown", *two_arms(calls=[(50, None, None)]))
    assert answers(path, "unknown")["budget"]["notes"] == [
        "Whether the arms had the same generated tokens per question cannot be told: unknown for"
        " all arms."
    ]
    text = printed(path)
    assert "All arms had the same budget per question" in text
    said = "tokens of all plays of every arm; dollars of all plays of every arm"
    assert said in " ".join(text.split())
    assert answers(path, "unknown")["arms"][0]["cost_usd"] is None


def test_paths_by_hand(solve: Add) -> None:
    """Pass@1: 2/3, 2/3, 1/3, 2/3, 1, 1/3 on average; only question 2 loses its vote; all have one
    right path.
    """
    alone, vote = answers(solve("s", *two_arms()))["arms"]
    assert alone["paths"] is None
    paths = vote["paths"]
    assert (
        paths["plays"],
        paths["n_min"],
        paths["n_max"],
        paths["paths"],
        paths["unreadable"],
    ) == (6, 3, 3, 18, 3)
    assert paths["pass_at_1"]["mean"] == pytest.approx(11 / 18)
    assert paths["pass_at_1_of_readable"]["mean"] == pytest.approx(
        (2 / 3 + 2 / 3 + 1 / 3 + 1 + 1 + 1) / 6
    )
    assert (paths["cons_at_n"]["mean"], paths["any"]["mean"]) == pytest.approx((5 / 6, 1))


def test_changes_of_paths_to_the_final_answer_by_hand(solve: Add) -> None:
    """11 of 18 path answers are right; 1 becomes wrong, and of the 7 others 5 become right:
    questions 0, 1, 3, and twice 5.
    """
    [row] = answers(solve("s", *two_arms()))["arms"][1]["changes"]
    assert (row["what"], row["pairs"], row["unreadable"]) == ("path to final", 18, 3)
    assert (
        row["right_to_wrong"],
        row["wrong_to_right"],
        row["stayed_right"],
        row["stayed_wrong"],
    ) == (1, 5, 10, 2)
    assert row["cl"]["mean"] == pytest.approx(10 / 11)
    assert row["cs"]["mean"] == pytest.approx(5 / 7)
    assert row["acc2"]["mean"] == pytest.approx(
        row["acc1"]["mean"] * row["cl"]["mean"] + (1 - row["acc1"]["mean"]) * row["cs"]["mean"]
    )
    assert (row["of_readable"]["n"], row["of_readable"]["wrong_to_right"]) == (15, 2)


def test_the_pairs_of_a_play_weigh_as_one(solve: Add) -> None:
    """One wrong path of one, and three right ones of three: half of the first answers are right,
    not three quarters.
    """
    [row] = answers(solve("s", {"paths": [WRONG]}, {"question": 1, "paths": [RIGHT] * 3}))["arms"][
        0
    ]["changes"]
    assert (row["pairs"], row["acc1"]["mean"], row["of_readable"]["acc1"]["mean"]) == (4, 0.5, 0.5)


def test_a_seat_that_answers_twice_is_a_change_of_its_own(solve: Add) -> None:
    again = [
        {"question": k, "paths": [("solver", 0, *one)], "final": ("solver", 1, *two)}
        for k, (one, two) in enumerate(
            [(RIGHT, RIGHT), (RIGHT, WRONG), (WRONG, RIGHT), (WRONG, LOST)]
        )
    ]
    [row] = answers(solve("s", *again))["arms"][0]["changes"]
    assert (row["what"], row["pairs"], row["unreadable"]) == ("first to last", 4, 1)
    assert (
        row["stayed_right"],
        row["right_to_wrong"],
        row["wrong_to_right"],
        row["stayed_wrong"],
    ) == (1, 1, 1, 1)
    assert (row["cl"]["mean"], row["cs"]["mean"], row["rss"]["mean"]) == (0.5, 0.5, 0.5)


def test_rounds_of_several_seats_give_both_kinds_of_change(solve: Add) -> None:
    rounds = [("a", 0, *WRONG), ("a", 1, *RIGHT), ("b", 0, *RIGHT), ("b", 1, *RIGHT)]
    first, second = answers(solve("s", {"paths": rounds}, {"question": 1, "paths": rounds}))[
        "arms"
    ][0]["changes"]
    assert (first["what"], first["pairs"], first["wrong_to_right"]) == ("first to last", 4, 2)
    assert (second["what"], second["pairs"], second["stayed_right"]) == ("path to final", 4, 4)
    assert second["reason"] == "every first answer is right: CS and RSS are undefined"
    assert second["rss"]["mean"] is None


def test_calibration_uses_the_code_of_debates(solve: Add) -> None:
    """0.9 right three times, 0.6 wrong twice; the unreadable one is left out and counted."""
    alone, vote = answers(solve("s", *two_arms()))["arms"]
    [row] = alone["calibration"]
    assert (row["what"], row["n"], row["without"], row["questions"]) == ("final", 5, 1, 5)
    assert row["brier"] == pytest.approx((3 * 0.01 + 2 * 0.36) / 5)
    assert row["ece"] == pytest.approx((3 * 0.1 + 2 * 0.6) / 5)
    assert (row["auroc"], row["auprc_right"], row["auprc_wrong"]) == (1, 1, 1)
    assert row["selective_accuracy"] == pytest.approx((1 + 1 + 1 + 3 / 4 + 3 / 5) / 5)
    assert row["details"]["ece_floor"] > 0
    assert row["details"]["mce"] >= row["ece"] >= row["details"]["smooth_ece"] / 2
    assert [row["what"] for row in vote["calibration"]] == ["final", "paths"]
    assert (
        answers(solve("silent", {"final": ("4", True, None)}), "silent")["arms"][0]["calibration"]
        == []
    )


def test_confidence_in_an_unreadable_answer_is_left_out_and_counted(solve: Add) -> None:
    [row] = answers(solve("s", {"final": RIGHT}, {"question": 1, "final": ("?", None, 0.2)}))[
        "arms"
    ][0]["calibration"]
    assert (row["n"], row["without"], row["brier"]) == (1, 1, pytest.approx(0.01))


def test_several_models_stand_each_in_a_row_and_with_one_arm_they_are_compared(solve: Add) -> None:
    plays = [
        {"question": k, "model": model, "final": final}
        for k in range(3)
        for model, final in (("m/a", RIGHT), ("m/b", WRONG))
    ]
    found = answers(solve("s", *plays))
    assert [(row["models"], row["accuracy"]) for row in found["by_model"]] == [
        ("m/a", 1),
        ("m/b", 0),
    ]
    assert [(row["arm"], row["against"], row["mean"]) for row in found["differences"]] == [
        ("m/b", "m/a", -1)
    ]
    assert found["arms"][0]["accuracy"] == 0.5


def test_debates_are_as_they_were_and_come_first(add: Add, solve: Add) -> None:
    before = report(add("debated", DEBATE))
    path = solve("solved", *two_arms())
    found = report(path)
    assert [row["study"] for row in found] == ["debated", "solved"]
    assert found[0] == before[0]
    assert "answers" not in found[0]
    text = printed(path)
    assert text.count("Rules behind these numbers") == 1
    assert "Answers to 6 questions in 12 plays" in text
    assert "debates" not in printed_study(text, "solved").split("Rules")[0]


def printed_study(text: str, study: str) -> str:
    return text[text.index(f"{study}: ") :]


def test_a_study_with_neither_names_those_that_have_some(add: Add, solve: Add) -> None:
    add("empty")
    path = solve("solved", {})
    with pytest.raises(
        StudyError,
        match="'empty' has no debates; with debates there are: none; with answers: solved",
    ):
        report(path, "empty")
    assert report(path, "solved")[0]["answers"]["arms"][0]["accuracy"] == 1


def test_simulated_answers_say_so_loudly(solve: Add) -> None:
    solve("played", {})
    text = printed(solve("dry", {}, simulated=True))
    assert text.count("SIMULATED models spoke in this study") == 1
    assert "Answers of SIMULATED models to 1 question in 1 play" in printed_study(text, "dry")
    assert "SIMULATED" not in text[: text.index("dry: ")]


def test_nothing_finished_and_single_plays_print_dashes(solve: Add) -> None:
    text = printed(
        solve(
            "s",
            {"paths": [RIGHT]},
            {"arm": "open", "status": "open"},
            {"arm": "broken", "status": "failed"},
        )
    )
    assert text.startswith("s: 1 of 3 plays (1 failed, 1 open), played\n")
    tables = text.split("Rules")[0]
    assert "None" not in tables
    assert "nan" not in tables
    assert "Left out: 3 pairs of arms without a common question." in tables


def test_names_neither_widen_nor_steer_the_terminal(solve: Add) -> None:
    long = {"arm": "an arm with a very long name " * 6, "model": "provider/" + "model" * 20}
    plays = [play | long for play in two_arms()[:6]] + [
        play | {"arm": "\x1b[31mred"} for play in two_arms()[6:]
    ]
    text = printed(solve("s", *plays))
    assert "\x1b" not in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_command_prints_tables_and_json(solve: Add, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(solve("s", *two_arms(), simulated=True))
    assert main(["report", "--db", path, "--study", "s"]) == 0
    assert "Paths, percent" in capsys.readouterr().out
    assert main(["report", "--db", path, "--study", "s", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answers"]["questions"] == 6


def test_thousands_of_questions_take_seconds(solve: Add) -> None:
    """Three arms of 500 questions with 8 paths each; 2,000 questions take about 1.2 s."""
    rng = np.random.default_rng(0)
    plays = [
        {
            "arm": arm,
            "question": k,
            "paths": [RIGHT if right else WRONG for right in rng.random(8) < 0.6],
            "final": RIGHT,
        }
        for arm in "abc"
        for k in range(500)
    ]
    path = solve("s", *plays)
    started = time.process_time()
    assert answers(path)["arms"][0]["paths"]["paths"] == 4000
    assert time.process_time() - started < 8


def test_differences_of_few_questions_carry_a_mark(solve: Add) -> None:
    few = printed(solve("few", *two_arms()))
    assert "FEW PAIRS: differences of fewer than 10 (here 6) show hardly anything." in few
    arms = [{"arm": arm, "question": k, "final": RIGHT} for arm in "ab" for k in range(10)]
    path = solve("enough", *arms)
    out = io.StringIO()
    print_report(study_reports(path, "enough"), out)
    assert "FEW PAIRS" not in out.getvalue()
