"""Canned queries on the published debates, beside numbers that are counted from their JSON files here, or published (arXiv 2505.19184)."""

from __future__ import annotations

import itertools
import json
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.statistics.calibration import auroc, bin_of, brier, ece
from analysis.statistics.judge_bias import longer_won
from arena.imports import import_llms_overconfidence
from arena.store.database import query

DATA = Path(__file__).resolve().parents[4].parent / "shared" / "data" / "llms_overconfidence"
PHASES = ("opening", "rebuttal", "closing")
SIDES = ("proposition", "opposition")
STUDIES = {"private_bet": "cross_model", "private_same_debator": "self"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not DATA.is_dir():
        pytest.skip(f"the published debates are not at {DATA}")
    path = tmp_path_factory.mktemp("published") / "arena.duckdb"
    import_llms_overconfidence(DATA, path)
    return path


@pytest.fixture(scope="module")
def debates(store: Path) -> list[dict[str, Any]]:
    """The published files, each with its study and the file's day; `store` only says whether they are there."""
    found = []
    for file in DATA.rglob("*.json"):
        content = json.loads(file.read_text())
        if isinstance(content, dict) and content.get("debate_type") in STUDIES:
            found.append(
                content
                | {
                    "study": STUDIES[content["debate_type"]],
                    "day": re.search(r"_(\d{8})_\d{6}$", file.stem)[1],
                }
            )  # type: ignore[index]
    assert Counter(debate["study"] for debate in found) == {"cross_model": 60, "self": 60}
    return found


def bet(debate: dict[str, Any], side: str, phase: str) -> int:
    """What a side staked in a phase, 0 to 100."""
    return next(
        b["amount"]
        for b in debate["debator_bets"]
        if (b["side"], b["speech_type"]) == (side, phase)
    )


def sums(debate: dict[str, Any]) -> dict[str, int]:
    """The judges' confidences by the side they name."""
    return {
        side: sum(vote["confidence"] for vote in debate["judge_results"] if vote["winner"] == side)
        for side in SIDES
    }


def result(debate: dict[str, Any], side: str) -> float:
    """1, 0 or 0.5 for a side, by the larger sum of confidences."""
    mine, other = sums(debate)[side], sums(debate)[SIDES[1 - SIDES.index(side)]]
    return 1.0 if mine > other else 0.0 if mine < other else 0.5


def of_study(debates: list[dict[str, Any]], study: str) -> list[dict[str, Any]]:
    return [debate for debate in debates if debate["study"] == study]


def seats(debates: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str, str]]:
    """(debate, side, the other side) of every seat."""
    for debate in debates:
        yield debate, "proposition", "opposition"
        yield debate, "opposition", "proposition"


def rows(store: Path, sql: str) -> list[tuple[Any, ...]]:
    return list(query(store, sql).rows)


def test_confidence_by_model(store: Path, debates: list[dict[str, Any]]) -> None:
    said: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for debate, side, _ in seats(debates):
        for phase in PHASES:
            said[debate["study"], debate[f"{side}_model"], phase].append(bet(debate, side, phase))
    found = rows(
        store,
        "select study, model, phase, n, 100 * mean, 100 * sd, missing from confidence_by_model",
    )
    expected = {
        key: (len(bets), statistics.mean(bets), statistics.stdev(bets), 0)
        for key, bets in said.items()
    }
    assert {row[:3]: row[3:] for row in found} == {
        key: pytest.approx(numbers) for key, numbers in expected.items()
    }
    assert len(found) == 2 * 10 * 3


def test_both_sides_together_claim_more_than_everything(
    store: Path, debates: list[dict[str, Any]]
) -> None:
    """Published: 66.5 points over 100 at closing between models, 50.4 against oneself."""
    found = rows(
        store,
        "select study, phase, debates, round(100 * mean_excess, 1), missing from excess_by_phase where phase = 'closing'",
    )
    assert found == [("cross_model", "closing", 60, 66.5, 0), ("self", "closing", 60, 50.4, 0)]
    expected = sorted(
        (bet(d, "proposition", p), bet(d, "opposition", p)) for d in debates for p in PHASES
    )
    each = rows(
        store,
        "select round(100 * proposition)::int, round(100 * opposition)::int, excess from side_confidence order by 1, 2",
    )
    assert [row[:2] for row in each] == expected
    assert [row[2] for row in each] == pytest.approx([(p + o - 100) / 100 for p, o in expected])


def test_who_rises(store: Path, debates: list[dict[str, Any]]) -> None:
    assert [
        (n, f"{up:.3f}") for n, up in rows(store, "select n, share_up from rise order by study")
    ] == [(120, "0.817"), (120, "0.825")]
    down = [
        bet(d, s, "closing") < bet(d, s, "opening")
        for d, s, _ in seats(of_study(debates, "cross_model"))
    ]
    assert rows(store, "select share_down from rise where study = 'cross_model'") == [
        (sum(down) / 120,)
    ]
    found = rows(
        store,
        "select model, n, round(100 * first, 1), round(100 * last, 1) from rise_by_model where study = 'cross_model'",
    )
    assert ("google/gemma-3-27b-it", 12, 67.5, 88.3) in found
    assert ("google/gemini-2.0-flash-001", 12, 65.4, 64.0) in found
    assert max(found, key=lambda row: row[3] - row[2])[0] == "google/gemma-3-27b-it"


def test_common_and_round_numbers(store: Path, debates: list[dict[str, Any]]) -> None:
    for study, odd in (("cross_model", 8), ("self", 14)):
        bets = Counter(bet(d, s, p) for d, s, _ in seats(of_study(debates, study)) for p in PHASES)
        found = rows(
            store,
            f"select round(100 * confidence)::int, n from common_confidences where study = '{study}'",
        )
        assert dict(found) == dict(bets)
        assert found[0][1] == max(bets.values())
        counts = rows(
            store,
            f"select sum(n), sum(multiples_of_5), sum(multiples_of_10) from round_numbers where study = '{study}'",
        )
        assert counts == [(360, 360 - odd, sum(n for value, n in bets.items() if value % 10 == 0))]


def test_spread_of_a_model_against_itself(store: Path, debates: list[dict[str, Any]]) -> None:
    gaps: dict[tuple[str, str], list[int]] = defaultdict(list)
    for debate, phase in itertools.product(of_study(debates, "self"), PHASES):
        gaps[debate["proposition_model"], phase].append(
            bet(debate, "proposition", phase) - bet(debate, "opposition", phase)
        )
    found = rows(
        store,
        "select model, phase, debates, 100 * mean_spread, 100 * mean_lead, 100 * widest from self_spread",
    )
    expected = {
        key: (len(g), statistics.mean(map(abs, g)), statistics.mean(g), max(map(abs, g)))
        for key, g in gaps.items()
    }
    assert {row[:2]: row[2:] for row in found} == {
        key: pytest.approx(numbers, abs=1e-9) for key, numbers in expected.items()
    }


def heard(debates: list[dict[str, Any]]) -> Iterator[tuple[str, str, int, int]]:
    """(study, speech, its bet, the listener's next bet minus the one before): within a phase neither side hears the other."""
    for debate, side, other in seats(debates):
        for now, then in itertools.pairwise(PHASES):
            change = bet(debate, other, then) - bet(debate, other, now)
            yield (
                debate["study"],
                debate[f"{side}_output"]["speeches"][now],
                bet(debate, side, now),
                change,
            )


def test_what_follows_an_empty_speech(store: Path, debates: list[dict[str, Any]]) -> None:
    moved: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for study, speech, _, change in heard(debates):
        moved[study, len(speech.split()) < 5].append(change)
    found = rows(store, "select study, empty, n, 100 * mean_change from next_after_empty")
    assert {row[:2]: row[2:] for row in found} == {
        key: pytest.approx((len(c), statistics.mean(c))) for key, c in moved.items()
    }
    assert sum(row[2] for row in found) == 480


def test_confidence_that_the_opponent_does_not_see(
    store: Path, debates: list[dict[str, Any]]
) -> None:
    for study in STUDIES.values():
        pairs = np.array(
            [(said, change) for name, _, said, change in heard(debates) if name == study],
            dtype=float,
        ).T
        slope = np.polyfit(pairs[0], pairs[1], 1)[0]
        found = rows(
            store,
            f"select visible, n, correlation, slope from visible_confidence where study = '{study}'",
        )
        assert found == [
            (False, 240, pytest.approx(np.corrcoef(pairs)[0, 1]), pytest.approx(slope))
        ]


def test_private_words_that_slipped(store: Path, debates: list[dict[str, Any]]) -> None:
    """Published counts: 5 and 10 speeches with the tag of thoughts, 4 and 5 with that of the bet, 2 and 3 with its number."""
    counts = "count(*) filter (private_tag), count(*) filter (rating_tag), count(*) filter (rating)"
    assert rows(
        store, f"select study, {counts} from private_words group by study order by study"
    ) == [("cross_model", 5, 4, 2), ("self", 10, 5, 3)]
    leaks = [
        change
        for study, speech, _, change in heard(debates)
        if re.search(r"bet_(logic_private|amount)", speech, re.I)
    ]
    moved = rows(
        store,
        "select round(100 * opponent_change)::int from private_words where opponent_change is not null order by all",
    )
    assert [change for (change,) in moved] == sorted(leaks)


def test_numbers_in_thoughts(store: Path, debates: list[dict[str, Any]]) -> None:
    expected = []
    for debate in debates:
        for one in debate["debator_bets"]:
            named = re.findall(
                r"(\d{1,3}(?:\.\d+)?)\s?(?:%|percent\b|out of 100\b|/\s?100\b)",
                one["thoughts"],
                re.ASCII,
            )
            if named and float(named[-1]) <= 100:
                expected.append((one["amount"], float(named[-1]), len(named)))
    found = rows(
        store,
        "select round(100 * confidence)::int, round(100 * in_thoughts, 6), numbers, difference from stated_in_thoughts",
    )
    assert sorted(row[:3] for row in found) == sorted(expected)
    assert all(row[3] == pytest.approx((row[0] - row[1]) / 100) for row in found)


def test_drift_by_date(store: Path) -> None:
    """Known: closing at 75.5, 68.0 and 82.3 on three days of the debates against oneself, whose models and motions differ."""
    found = rows(
        store,
        "select day::varchar, round(100 * mean, 1), models from drift_by_date where study = 'self' and phase = 'closing'",
    )
    means = {day: mean for day, mean, _ in found}
    assert [means[f"2025-05-{day}"] for day in ("03", "09", "10")] == [75.5, 68.0, 82.3]
    assert rows(store, "select distinct model_served from drift_by_date") == [(None,)]


def test_calibration_by_phase_is_the_published_one(store: Path) -> None:
    columns = "n, n_without_ties, round(brier, 4), round(brier_without_ties, 4), round(auroc, 3), round(100 * overconfidence, 1), round(ece, 4)"
    assert rows(store, f"select {columns} from calibration_by_phase order by round") == [
        (120, 118, 0.3212, 0.326, 0.392, 23.0, 0.2466),
        (120, 118, 0.331, 0.3358, 0.51, 27.8, 0.2949),
        (120, 118, 0.3565, 0.3615, 0.544, 33.5, 0.3348),
    ]


def judged(debates: list[dict[str, Any]], phase: str) -> Iterator[tuple[str, float, float]]:
    """(model, confidence, result) of every seat between models."""
    for debate, side, _ in seats(of_study(debates, "cross_model")):
        yield debate[f"{side}_model"], bet(debate, side, phase) / 100, result(debate, side)


@pytest.mark.parametrize("phase", PHASES)
def test_calibration_by_model(store: Path, debates: list[dict[str, Any]], phase: str) -> None:
    found = rows(
        store,
        f"select model, n, brier, ece, auroc, win_rate from calibration_by_model where phase = '{phase}' order by model",
    )
    for model, n, *numbers in found:
        confidence, won = np.array([row[1:] for row in judged(debates, phase) if row[0] == model]).T
        decided = won != 0.5
        x, y = confidence[decided], won[decided]
        area = auroc(x, y)
        assert n == confidence.size
        assert numbers == pytest.approx(
            [brier(confidence, won), ece(x, y), None if np.isnan(area) else area, y.mean()]
        )
    assert len(found) == 10


def test_reliability(store: Path, debates: list[dict[str, Any]]) -> None:
    for phase in PHASES:
        confidence, won = np.array([row[1:] for row in judged(debates, phase) if row[2] != 0.5]).T
        bins = bin_of(confidence) + 1
        expected = [
            (k, (bins == k).sum(), confidence[bins == k].mean(), won[bins == k].mean())
            for k in np.unique(bins)
        ]
        found = rows(
            store,
            f"select bin, n, mean_confidence, win_rate from reliability where phase = '{phase}' order by bin",
        )
        assert found == [pytest.approx(row) for row in expected]


def test_wins_by_motion(store: Path, debates: list[dict[str, Any]]) -> None:
    expected: dict[str, Counter[float]] = defaultdict(Counter)
    for debate in of_study(debates, "cross_model"):
        expected[debate["motion"]["topic_description"]][result(debate, "proposition")] += 1
    found = rows(
        store,
        "select motion, proposition, opposition, ties, undecided, win_rate from proposition_wins_by_motion",
    )
    assert {row[0]: row[1:5] for row in found} == {
        motion: (count[1.0], count[0.0], count[0.5], 0) for motion, count in expected.items()
    }
    assert [sum(row[k] for row in found) for k in (1, 2, 3)] == [21, 38, 1]
    assert all(row[5] == pytest.approx((row[1] + row[3] / 2) / sum(row[1:4])) for row in found)


def test_vote_splits_are_the_published_ones(store: Path) -> None:
    assert rows(store, "select split, debates from vote_splits") == [
        ("6-0", 22),
        ("5-1", 11),
        ("3-0", 1),
        ("4-2", 19),
        ("3-3", 7),
    ]


def test_longer_and_surer_sides(store: Path, debates: list[dict[str, Any]]) -> None:
    cross = of_study(debates, "cross_model")
    won = np.array([result(debate, "proposition") for debate in cross])
    expected = longer_won(
        won,
        np.array(
            [
                [sum(len(s.split()) for s in d[f"{x}_output"]["speeches"].values()) for x in SIDES]
                for d in cross
            ]
        ),
    )
    found = rows(store, "select debates, longer_won, ties, share, same_length from longer_sides")
    assert found == [(60, (expected == 1).sum(), 1, pytest.approx(expected.mean()), 0)]
    lead = np.array(
        [bet(d, "proposition", "closing") - bet(d, "opposition", "closing") for d in cross]
    )
    surer = np.where(lead > 0, won, 1 - won)[lead != 0]
    columns = "debates, surer_won, ties, share, same_rating"
    assert rows(store, f"select {columns} from higher_confidence_wins where phase = 'closing'") == [
        (
            surer.size,
            (surer == 1).sum(),
            (surer == 0.5).sum(),
            pytest.approx(surer.mean()),
            (lead == 0).sum(),
        )
    ]


def test_judges(store: Path, debates: list[dict[str, Any]]) -> None:
    """Published: test and retest .729, .949, .881; votes for the proposition 50, 9 and 45 percent."""
    same: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for debate in of_study(debates, "cross_model"):
        for one, other in itertools.combinations(debate["judge_results"], 2):
            low, high = sorted((one["model"], other["model"]))
            same[low, high].append(one["winner"] == other["winner"])
    found = rows(
        store,
        "select judge, other, pairs, same from judge_agreement union all select judge, judge, pairs, same from judge_repeats",
    )
    assert {row[:2]: row[2:] for row in found} == {
        key: (len(pairs), sum(pairs)) for key, pairs in same.items()
    }
    assert [
        round(share, 3)
        for (share,) in rows(store, "select share from judge_repeats order by judge")
    ] == [0.729, 0.949, 0.881]
    bias = rows(
        store,
        "select votes, round(100 * share_proposition)::int, share_first from side_bias order by judge",
    )
    assert bias == [(119, 50, None), (119, 9, None), (119, 45, None)]


def test_payout_of_tokens(store: Path, debates: list[dict[str, Any]]) -> None:
    paid: dict[str, list[int]] = defaultdict(list)
    for debate, side, other in seats(of_study(debates, "cross_model")):
        gain = {1.0: bet(debate, other, "closing"), 0.0: -bet(debate, side, "closing"), 0.5: 0}
        paid[debate[f"{side}_model"]].append(gain[result(debate, side)])
    found = rows(
        store,
        "select model, debates, mean_payout, mean_balance from token_payout where phase = 'closing'",
    )
    expected = {
        model: (len(gains), statistics.mean(gains), 100 + statistics.mean(gains))
        for model, gains in paid.items()
    }
    assert {row[0]: row[1:] for row in found} == {
        model: pytest.approx(numbers) for model, numbers in expected.items()
    }


def test_model_motion_and_side(store: Path, debates: list[dict[str, Any]]) -> None:
    cells: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    for debate, side, _ in seats(of_study(debates, "cross_model")):
        key = debate[f"{side}_model"], debate["motion"]["topic_description"], side
        cells[key].append((bet(debate, side, "closing") / 100, result(debate, side)))
    found = rows(
        store,
        "select model, motion, seat, debates, last, win_rate from model_motion_side where study = 'cross_model'",
    )
    expected = {
        key: pytest.approx((len(cell), *np.mean(cell, axis=0))) for key, cell in cells.items()
    }
    assert {row[:3]: row[3:] for row in found} == expected


def test_a_transcript_and_the_debates_of_a_model(
    store: Path, debates: list[dict[str, Any]]
) -> None:
    [(episode, model)] = rows(
        store,
        "select episode, model from seats where seat = 'proposition' order by episode limit 1",
    )
    said = rows(store, f"select phase, seat, model from transcript('{episode[:8]}')")
    assert [row[:2] for row in said] == [(phase, side) for phase in PHASES for side in SIDES]
    assert said[0][2] == model
    won = [
        result(d, s)
        for d, s, _ in seats(of_study(debates, "cross_model"))
        if "qwq" in d[f"{s}_model"]
    ]
    assert rows(
        store, "select count(*), sum(result) from debates_of('QWQ') where study = 'cross_model'"
    ) == [(len(won), sum(won))]


@pytest.mark.parametrize(
    "name",
    [
        "latency",
        "critical_path",
        "attempts",
        "reasked",
        "cost_per_episode",
        "cost_by_arm",
        "flips",
        "paths",
    ],
)
def test_what_the_publication_does_not_keep_is_empty_and_not_zero(store: Path, name: str) -> None:
    assert rows(store, f"from {name}") == []
