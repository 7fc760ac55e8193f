"""The report on people's labels: a store by hand, with numbers by hand, and planted errors."""

from __future__ import annotations

import json
from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pytest

from analysis.read.labels import read_labels
from analysis.reports.labels import LabelFindings, label_findings
from analysis.reports.report import debate_report
from analysis.reports.tables.labels import label_blocks
from arena.imports.labels import import_labels
from arena.store import database
from arena.store.journal import line, write_journal
from tests.analysis.conftest import debate_rows, play_rows

# (winner as judged, winner by people or None) and how often, of a against b; then of b against a.
FIRST = {("proposition", "proposition"): 14, ("proposition", "opposition"): 6}
FIRST |= {("opposition", "opposition"): 8, ("opposition", "proposition"): 2}
SECOND = {("proposition", None): 12, ("opposition", None): 18}
GRADES = {(True, "right"): 12, (True, "wrong"): 3, (False, "wrong"): 5, (False, "right"): 1}


def spread(counts: dict) -> list:
    """Each key as often as its count says."""
    return [key for key, count in counts.items() for _ in range(count)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Debates of a and b in both seats, each on a motion of its own, and graded answers."""
    path = tmp_path_factory.mktemp("labels") / "a.duckdb"
    database.create(path)
    run = {"run": "r", "origin": "played", "simulated": False, "started_at": "2026-01-02 03:04:05"}
    rows: list = [("runs", run | {"study": "cup"}), ("runs", run | {"study": "sums", "run": "s"})]
    labels = []
    for number, (judged, said) in enumerate([*spread(FIRST), *spread(SECOND)]):
        models = ("m/a", "m/b") if said else ("m/b", "m/a")
        debate = {
            "models": models,
            "phases": ("opening",),
            "ratings": ((60,), (60,)),
            "votes": ((judged, 0.8),),
            "subject": f"motion {number}",
        }
        rows += debate_rows(f"cup/{number}", debate)
        if said:
            labels += [(f"cup/{number}", rater, said) for rater in ("ann", "bob")]
    for number, (correct, said) in enumerate(spread(GRADES)):
        play = {"question": number, "final": ("4", correct, None)}
        rows += play_rows("sums", play)
        labels.append((f"sums/single/m/a/{number}/0", "ann", said))
    # One disagreement: a tie of both is half a win.
    labels[1] = (labels[1][0], "bob", "opposition")
    write_journal(database.journal_folder(path) / "x.jsonl", [line(*row) for row in rows])
    database.fold(path)
    file = path.with_name("labels.jsonl")
    file.write_text(
        "\n".join(
            json.dumps({"item": item, "rater": rater, "value": value, "probability": 0.5})
            for item, rater, value in labels
        )
    )
    import_labels(file, path)
    return path


@pytest.fixture(scope="module")
def found(store: Path) -> dict[str, LabelFindings]:
    """The findings by question."""
    return {
        each.question: each
        for some in read_labels(store).values()
        for each in label_findings(store, some)
    }


def test_raters_agree_as_far_as_counted(found: dict[str, LabelFindings]) -> None:
    winner = found["winner"]
    assert (winner.labels, winner.items, winner.raters, winner.at_random) == (60, 30, 2, 30)
    assert winner.values == {"opposition": 29, "proposition": 31}
    [pair] = winner.pairs
    assert (pair.first, pair.second, pair.n, pair.same.mean) == ("ann", "bob", 30, 29 / 30)
    chance = (16 * 15 + 14 * 15) / 900
    assert pair.kappa.mean == pytest.approx((29 / 30 - chance) / (1 - chance))
    # Krippendorff's alpha of two raters: 1 - (2n - 1) pairs that differ / (different values).
    assert winner.alpha.mean == pytest.approx(1 - 59 * 2 / (2 * 29 * 31))
    assert found["correct"].pairs == ()


def test_errors_of_a_judge_are_counted_by_what_people_say(
    found: dict[str, LabelFindings],
) -> None:
    [judge] = found["winner"].judges
    # The tie is in neither class.
    assert (judge.n, judge.yes, judge.no) == (30, 15, 14)
    assert judge.sensitivity.mean == pytest.approx(13 / 15)
    assert judge.specificity.mean == pytest.approx(8 / 14)
    assert judge.same.mean == pytest.approx((13 + 8) / 30)
    [grader] = found["correct"].judges
    assert (grader.judge, grader.n, grader.yes, grader.no) == ("grader", 21, 13, 8)
    assert (grader.sensitivity.mean, grader.specificity.mean) == (12 / 13, 5 / 8)
    for row in (judge, grader):
        for share in (row.sensitivity, row.specificity):
            assert 0 < share.ci_low < share.mean < share.ci_high <= 1


def test_win_rates_are_corrected_by_both_ways(found: dict[str, LabelFindings]) -> None:
    rows = {row.what: row for row in found["winner"].corrected}
    assert list(rows) == ["the proposition", "m/a", "m/b"]
    first, a = rows["the proposition"], rows["m/a"]
    assert (first.n, first.labelled, first.judged.mean) == (60, 30, 32 / 60)
    assert first.powered.share.mean == pytest.approx(32 / 60 * 13.5 / 20 + 28 / 60 * 2 / 10)
    # a won 20 of 30 as the proposition and 18 of 30 as the opposition, by the judge.
    assert (a.n, a.judged.mean) == (60, 38 / 60)
    for row in rows.values():
        assert isnan(row.by_errors.share.mean)
        assert "people call some a tie" in row.by_errors.reason
    assert rows["m/b"].powered.share.mean == pytest.approx(1 - a.powered.share.mean)
    [accuracy] = found["correct"].corrected
    assert (accuracy.what, accuracy.n, accuracy.powered.share.mean) == ("single", 21, 13 / 21)


@pytest.mark.slow
def test_the_report_shows_labels_and_says_how_they_were_drawn(
    store: Path, found: dict[str, LabelFindings]
) -> None:
    whole = debate_report(store)
    cup, sums = whole
    assert cup.labels == (found["winner"],)
    assert sums.labels
    assert sums.labels[0].corrected == found["correct"].corrected
    assert {"judge_errors", "powered", "rogan_gladen"} <= cup.rules.keys()
    [labels] = whole.json()[0]["labels"]
    assert {"powered", "powered_ci_low", "rogan_gladen", "rogan_gladen_note"} <= labels[
        "corrected"
    ][0].keys()
    text = str(whole)
    for words in (
        "Judges against people, percent",
        "Wins corrected by labels, percent",
        "All were drawn at random",
        "Accuracy corrected by labels",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("at_random", "drawn", "words"),
    [
        (29, 30, "NOT KNOWN TO BE A RANDOM SAMPLE: 1 item of 30 was not drawn"),
        (30, 50, "Of 50 items that were drawn at random 30 are labelled"),
    ],
)
def test_what_is_no_random_sample_is_said(
    found: dict[str, LabelFindings], at_random: int, drawn: int, words: str
) -> None:
    changed = replace(found["winner"], at_random=at_random, drawn=drawn)
    assert words in next(iter(label_blocks([changed]))).notes[0]


def test_many_raters_have_alpha_and_no_pairs(store: Path) -> None:
    [labels] = read_labels(store, "cup")["cup"]
    many = replace(labels, raters=tuple(f"r{k}" for k in range(11)), rater=labels.rater + 9)
    [findings] = label_findings(store, [many])
    assert findings.pairs == ()
    notes = next(iter(label_blocks([findings]))).notes
    assert "alpha 0.9" in notes[1]
    assert "more than 10 raters" in notes[2]


def test_a_judge_that_is_no_better_than_chance_corrects_nothing(store: Path) -> None:
    [labels] = read_labels(store, "cup")["cup"]
    # One rater, so that nothing is a tie, says the opposite of what was said.
    one = labels.rater == 0
    other = replace(
        labels, item=labels.item[one], rater=labels.rater[one], value=1 - labels.value[one]
    )
    [findings] = label_findings(store, [other])
    row = findings.corrected[0]
    assert np.isnan(row.by_errors.share.mean)
    assert "no better than chance" in row.by_errors.reason
    notes = list(label_blocks([findings]))[-1].notes
    assert any("no better than chance" in note for note in notes)
