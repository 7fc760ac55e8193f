"""Variances of crossed factors: by hand, by REML, and as they were planted."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics.clustered import Array, Codes
from analysis.statistics.variance_parts import overlap, ranked, table, variance_parts

PLANTED = {"model": 8.0, "motion": 4.0, "wording": 5.0, "model by wording": 3.0, "the rest": 10.0}


def places(*levels: int) -> list[Codes]:
    """The codes of each factor of a balanced design."""
    return list(np.indices(levels).reshape(len(levels), -1))


def planted(rng: np.random.Generator, repeats: int = 2) -> tuple[Array, dict[str, Codes]]:
    """10 models on 12 motions in 3 wordings, with the effects of PLANTED."""
    model, motion, wording, _ = places(10, 12, 3, repeats)
    factors = {
        "model": model,
        "motion": motion,
        "wording": wording,
        "model by wording": model * 3 + wording,
    }
    values = rng.normal(0, PLANTED["the rest"], model.size)
    for name, codes in factors.items():
        values += rng.normal(0, PLANTED[name], codes.max() + 1)[codes]
    return values, factors


def test_in_a_balanced_design_they_are_those_of_the_analysis_of_variance() -> None:
    rows, columns = places(4, 6)
    values = np.random.default_rng(1).normal(size=24) + rows + 0.5 * columns
    parts = variance_parts(values, {"row": rows, "column": columns}, np.zeros(24, dtype=int))
    square = values.reshape(4, 6)
    across, down = square.mean(axis=1), square.mean(axis=0)
    residual = square - across[:, None] - down + square.mean()
    error = np.square(residual).sum() / 15
    expected = [across.var(ddof=1) - error / 6, down.var(ddof=1) - error / 4, error]
    assert [part.sd**2 for part in parts] == pytest.approx(expected)
    assert [part.levels for part in parts] == [4, 6, 24]
    assert sum(part.share for part in parts) == pytest.approx(1)


def test_means_of_fixed_groups_and_missing_values_change_nothing() -> None:
    values, factors = planted(np.random.default_rng(2))
    group = np.arange(values.size) % 2
    plain = variance_parts(values, factors, group)
    shifted = variance_parts(values + 1000 * group, factors, group)
    assert [part.sd for part in shifted] == pytest.approx([part.sd for part in plain])
    longer = {name: np.append(codes, 99) for name, codes in factors.items()}
    assert variance_parts(np.append(values, np.nan), longer, np.append(group, 7)) == plain


def test_the_equations_are_traces_of_the_whole_matrices() -> None:
    rng = np.random.default_rng(3)
    one, other, group = (ranked(rng.integers(0, levels, 30)) for levels in (5, 4, 3))
    out = np.eye(30)
    for code in range(3):
        out -= np.outer(group == code, group == code) / (group == code).sum()
    left, right = (np.equal.outer(code, code).astype(float) for code in (one, other))
    size = np.bincount(group).astype(float)
    assert overlap(one, other, table(group, one), table(group, other), size) == pytest.approx(
        np.trace(out @ left @ out @ right)
    )


def test_what_cannot_be_told_apart_says_so_and_has_no_number() -> None:
    rows, columns = places(4, 6)
    single = np.arange(24)
    factors = {
        "row": rows,
        "same": rows + 10,
        "constant": 0 * rows,
        "each": single,
        "column": columns,
    }
    values = np.random.default_rng(4).normal(size=24)
    parts = {part.factor: part for part in variance_parts(values, factors, 0 * rows)}
    assert parts["same"].note == "varies with row alone: part of it"
    assert parts["constant"].note == "one level: it did not vary"
    assert parts["each"].note == "one value each: part of the rest"
    assert all(np.isnan(parts[name].sd) for name in ("same", "constant", "each"))
    assert not np.isnan(parts["column"].sd)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_values_have_no_parts(count: int) -> None:
    values = np.arange(count, dtype=np.float64)
    codes = np.arange(count)
    assert all(
        np.isnan(part.share) for part in variance_parts(values, {"a": codes}, np.zeros_like(codes))
    )


def test_an_estimate_below_0_is_0_and_says_so() -> None:
    rows, _ = places(2, 2)
    row, _ = variance_parts(np.array([0.0, 1.0, 1.0, 0.0]), {"row": rows}, 0 * rows)
    assert (row.sd, row.share, row.note) == (0, 0, "estimated below 0: no more than chance")


@pytest.mark.slow
def test_planted_variances_come_out_and_agree_with_reml() -> None:
    statsmodels = pytest.importorskip("statsmodels.formula.api")
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(5)
    draws = [planted(rng) for _ in range(300)]
    fixed = np.zeros(720, dtype=int)
    squares = np.array(
        [
            [part.sd**2 for part in variance_parts(values, factors, fixed)]
            for values, factors in draws
        ]
    )
    expected = np.square(list(PLANTED.values()))
    error = squares.std(axis=0, ddof=1) / 300**0.5
    assert (np.abs(squares.mean(axis=0) - expected) < 4 * error).all()
    values, factors = draws[0]
    frame = pandas.DataFrame({f"f{n}": codes for n, codes in enumerate(factors.values())})
    fit = statsmodels.mixedlm(
        "y ~ 1",
        frame.assign(y=values, one=1),
        groups="one",
        re_formula="0",
        vc_formula={name: f"0 + C({name})" for name in frame},
    ).fit(reml=True)
    assert squares[0] == pytest.approx([*fit.vcomp, fit.scale], rel=0.01)
