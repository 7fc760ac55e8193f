"""Tables of simulated agents: each mechanism does what its paper says, where that was planted."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import agent
from agents.simulated.questions import simulated_questions
from arena import Arena, Arm, Study
from arena.studies.study import Protocol
from protocols.drafting import drafting
from protocols.moderated import moderated
from protocols.pair_panel import pair_panel
from protocols.round_table import PRESETS, round_table
from tests.experiments.test_asking_studies import module_of

pytestmark = pytest.mark.slow
Options = dict[str, object]


def played(
    path: Path, protocol: Protocol, seats: Options, arms: dict[str, Options], number: int = 250
) -> Arena:
    """Play arms on simulated questions, none of which may fail."""
    arena = Arena(path / "a.duckdb")
    made = [Arm(name, protocol, [seats], options) for name, options in arms.items()]  # type: ignore[list-item]
    study = Study("s", made, simulated_questions(number))
    assert arena.run(study, watch=lambda tally: None).failed == 0
    return arena


def accuracy(arena: Arena) -> dict[str, float]:
    """The accuracy of each arm."""
    return dict(arena.sql("select arm, accuracy from accuracy").rows)


def calls(arena: Arena) -> dict[str, float]:
    """The mean calls of each arm."""
    return dict(arena.sql("select arm, calls_per_question from accuracy").rows)


VOTES: dict[str, Options] = {
    "weighted": {**PRESETS["reconcile"], "agents": 5, "rounds": 1},
    "plain": {**PRESETS["reconcile"], "agents": 5, "rounds": 1, "decide": "plurality"},
}


def test_weights_help_where_confidence_is_informative_and_do_not_where_it_is_not(
    tmp_path: Path,
) -> None:
    gain = {}
    for name, stated in {
        "informative": "bias=0:discrimination=0.9:noise=0.05",
        "uninformative": "bias=0:discrimination=0:noise=0.3",
    }.items():
        solver = agent(f"sim/solver:shared=0:{stated}")
        arena = played(tmp_path / name, round_table, {"solvers": [solver]}, VOTES)
        found = accuracy(arena)
        gain[name] = found["weighted"] - found["plain"]
    # Two standard errors of a difference are about 0.08.
    assert gain["informative"] > 0.12
    assert abs(gain["uninformative"]) < 0.08


def test_calibrated_weights_undo_an_overconfidence_that_differs(tmp_path: Path) -> None:
    # Of two able and three boastful agents the latter state more, and are right less often.
    able = [
        agent(f"sim/solver:shared=0:ability=2:bias=-0.3:seed={n}", name=f"able{n}") for n in (1, 2)
    ]
    boastful = [
        agent(f"sim/solver:shared=0:ability=-1.5:bias=0.75:noise=0.05:seed={n}", name=f"b{n}")
        for n in (3, 4, 5)
    ]
    arms = {
        "stated": VOTES["weighted"] | {"weights": "stated"},
        "calibrated": VOTES["weighted"]
        | {"weights": "calibrated", "calibration": ((0.0, 0.8), (0.85, 0.2))},
    }
    found = accuracy(played(tmp_path, round_table, {"solvers": [*able, *boastful]}, arms, 150))
    assert found["calibrated"] > found["stated"] + 0.1


def test_talking_follows_peers_and_adds_nothing_where_nobody_does(tmp_path: Path) -> None:
    changes = {}
    for weight in (0.0, 1.0):
        solver = agent(f"sim/solver:shared=0:peer_weight={weight}")
        arms: dict[str, Options] = {"table": {"rounds": 3}}
        arena = played(tmp_path / str(weight), round_table, {"solvers": [solver]}, arms, 120)
        [change] = arena.sql("select change from accuracy_by_stage where stage = 2").rows
        changes[weight] = change[0]
    # The seats' draws stay, so that without a weight of peers nobody changes: a martingale.
    assert changes[0.0] == 0
    assert changes[1.0] > 0.02


@pytest.mark.parametrize(("underestimates", "gains"), [(0.9, True), (0.0, False)])
def test_peer_prediction_finds_what_is_more_popular_than_expected(
    tmp_path: Path, underestimates: float, gains: bool
) -> None:
    solver = agent(
        f"sim/panelist:shared=0:peer_weight=0:ability=-0.5:underestimates={underestimates}"
    )
    same: Options = {"agents": 5, "paradigm": "collective", "turns": 1, "vote_from": 1}
    arms = {name: same | {"decide": name} for name in ("vote", "surprisingly_popular")}
    found = accuracy(played(tmp_path, drafting, {"solvers": [solver]}, arms, 150))
    assert (found["surprisingly_popular"] > found["vote"] + 0.1) == gains


def test_an_early_end_saves_calls_and_hardly_changes_answers(tmp_path: Path) -> None:
    solver = agent("sim/solver:shared=0:peer_weight=3")
    same: Options = {"decide": "unanimity", "turns": 5}
    arms = {"early": same, "to the end": same | {"early": False}}
    arena = played(tmp_path, drafting, {"solvers": [solver]}, arms, 150)
    assert calls(arena)["to the end"] == 15
    assert calls(arena)["early"] < 9
    found = accuracy(arena)
    assert abs(found["early"] - found["to the end"]) < 0.12


def test_opposition_makes_sides_differ_and_the_break_saves_calls(tmp_path: Path) -> None:
    panelist = agent("sim/panelist:shared=0:decides=0.6")
    seats = dict.fromkeys(("affirmative", "negative", "moderator"), panelist)
    arms: dict[str, Options] = {str(level): {"opposition": level} for level in (0, 5, 10)}
    arms["to the end"] = {"opposition": 10, "may_end": False}
    arena = played(tmp_path, moderated, seats, arms, 150)
    differ = dict(
        arena.sql(
            "select arm, avg((a.canonical <> n.canonical)::int) from answers a join answers n"
            " using (episode, stage) join episodes using (episode) where a.seat = 'affirmative'"
            " and n.seat = 'negative' and stage = 0 group by arm"
        ).rows
    )
    assert differ["10"] == 1
    assert differ["0"] + 0.15 < differ["5"] < 0.9
    taken = calls(arena)
    assert taken["0"] < taken["10"] < 3 * 3 + 2
    assert taken["to the end"] == 2 * 3 + 2


def test_both_orders_undo_a_preference_for_the_text_that_is_read_first(tmp_path: Path) -> None:
    pairs = module_of("pair_panel").simulated_pairs(200)
    referee = agent("sim/panelist:first_points=5:ability=1")
    arms = [
        Arm(orders, pair_panel, [{"referees": [referee]}], {"rounds": 1, "orders": orders})
        for orders in ("both", "first")
    ]
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(Study("s", arms, pairs), watch=lambda tally: None).failed == 0
    chosen = dict(
        arena.sql(
            "select arm, avg((a.answer = 'A')::int) from answers a join episodes using (episode)"
            " where final and a.answer is not null group by arm"
        ).rows
    )
    # Right texts are A in half of the pairs.
    assert chosen["first"] > 0.7
    assert abs(chosen["both"] - 0.5) < 0.1
