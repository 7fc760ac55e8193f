"""Fit paired comparisons by Firth's penalised likelihood, with profile likelihood intervals.

A logistic regression of who won on who met whom, and on further columns such as the seat.  Where
somebody never lost, the likelihood has no maximum: it grows for ever as the strength does.  Firth
(1993) adds half the log determinant of the information, which takes the first-order bias out of
the estimates and leaves every one finite; Heinze and Schemper (2002) take intervals from the
profile of the same function, which keep their level where symmetric ones do not:

    l*(beta) = sum of points log p + (games - points) log(1 - p) + 1/2 log det I(beta)
    end: the value at which 2 (max l* - max l* with the value held) is the square of a quantile

For n wins of n between two contestants the estimate is log(2n + 1).  Arrays of a batch of B fits
have the batch first, and all fits of a batch go their steps together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import expit

from analysis.statistics.clustered import Array, Codes

MAX_STEPS = 60
# A step is cut to so many logits: a longer one overshoots to where the likelihood is flat.
LONGEST_STEP = 2.0
# Beyond this a lead changes no chance that a double can hold.
MAX_LEAD = 35.0
MAX_MOVES = 30
# Below so many numbers plain matrices are faster than sparse ones.
DENSE_VALUES = 200_000


@dataclass(frozen=True, slots=True)
class Design:
    """N rows of comparisons with K coefficients: A strengths, then the further columns.

    `rows` (N, K) has 1 for who sat first, -1 for who sat second, and the columns; `squares`
    (N, K * K) the outer product of each row with itself.  Large ones are sparse: a row has few
    numbers however many contestants there are.
    """

    agents: int
    rows: Array | sparse.csr_array
    squares: Array | sparse.csr_array

    @property
    def coefficients(self) -> int:
        """How many there are, strengths included."""
        return int(self.rows.shape[1])

    def information(self, weight: Array) -> Array:
        """Return (B, K, K), the weighted sums of squares, with mean strength held at 0.

        `weight` is (B, N).
        """
        size = self.coefficients
        sums: Array = (self.squares.T @ weight.T).T.reshape(len(weight), size, size)
        # Strengths are told apart only by differences: the ones fix their mean at 0.
        sums[:, : self.agents, : self.agents] += 1.0
        return sums

    def quadratic(self, matrix: Array) -> Array:
        """Return (B, N), each row times the matrices (B, K, K) times the row again."""
        result: Array = (self.squares @ matrix.reshape(len(matrix), -1).T).T
        return result


@dataclass(frozen=True, slots=True)
class Fit:
    """B fits: `at` (B, K) coefficients, `height` (B,) of l*, `covariance` (B, K, K).

    `pull` (B,) is the slope of l* along the value that was held, 0 if none was.
    """

    at: Array
    height: Array
    covariance: Array
    pull: Array


def paired_design(first: Codes, second: Codes, columns: Array, agents: int) -> Design:
    """Return the design of comparisons (N,) of contestants with further columns (N, E)."""
    count, extra = columns.shape
    size = agents + extra
    place = np.column_stack((first, second, np.tile(np.arange(agents, size), (count, 1))))
    value = np.column_stack((np.ones(count), -np.ones(count), columns))
    row = np.repeat(np.arange(count), extra + 2)
    rows = sparse.csr_array((value.ravel(), (row, place.ravel())), shape=(count, size))
    both = place[:, :, None] * size + place[:, None, :]
    squares = sparse.csr_array(
        (
            (value[:, :, None] * value[:, None, :]).ravel(),
            (np.repeat(np.arange(count), (extra + 2) ** 2), both.ravel()),
        ),
        shape=(count, size * size),
    )
    if squares.shape[0] * squares.shape[1] <= DENSE_VALUES:
        return Design(agents, rows.toarray(), squares.toarray())
    return Design(agents, rows, squares)


def penalised_fit(
    design: Design,
    games: Array,
    points: Array,
    *,
    start: Array | None = None,
    held: Array | None = None,
    value: Array | None = None,
    penalty: float = 0.5,
    tolerance: float = 1e-9,
) -> Fit:
    """Return the coefficients at which the penalised likelihood is largest, by Newton's method.

    `games` and `points` are (B, N): how often each row was played, and how much of that the first
    won; any numbers with 0 <= points <= games.  With `held` (B, K) and `value` (B,), only
    coefficients with held . beta = value are compared.  A `penalty` of 0 leaves the likelihood
    as it is, whose maximum has to exist.
    """
    at = np.zeros((len(games), design.coefficients)) if start is None else start
    pull = np.zeros(len(at))
    for _ in range(MAX_STEPS):
        lead = leads(design, at)
        chance = expit(lead)
        spread = chance * (1 - chance)
        information = design.information(games * spread)
        covariance = np.linalg.inv(information).astype(np.float64)
        # Firth's score is that of data with half a win and half a loss more for each leverage,
        # and the information of these data makes for steps that do not overshoot.
        leverage = 2 * penalty * games * spread * design.quadratic(covariance)
        slope = (design.rows.T @ (points - games * chance + leverage * (0.5 - chance)).T).T
        inverse = np.linalg.inv(design.information((games + leverage) * spread))
        step = np.einsum("bij,bj->bi", inverse, slope)
        if held is not None and value is not None:
            toward = np.einsum("bij,bj->bi", inverse, held)
            missing = value - (held * at).sum(axis=1)
            pull = ((held * step).sum(axis=1) - missing) / (held * toward).sum(axis=1)
            step = step - pull[:, None] * toward
        longest = np.abs(step).max(axis=1, keepdims=True)
        at = at + step * np.minimum(1.0, LONGEST_STEP / np.maximum(longest, 1e-300))
        if longest.max(initial=0.0) < tolerance:
            break
    return Fit(at, penalised_likelihood(design, games, points, at, penalty), covariance, pull)


def leads(design: Design, at: Array) -> Array:
    """Return (B, N), by how many logits the first leads in each row."""
    result: Array = np.clip((design.rows @ at.T).T, -MAX_LEAD, MAX_LEAD)
    return result


def penalised_likelihood(
    design: Design, games: Array, points: Array, at: Array, penalty: float = 0.5
) -> Array:
    """Return (B,), the log-likelihood with Firth's penalty at the coefficients (B, K)."""
    lead = leads(design, at)
    chance = expit(lead)
    won = points * np.logaddexp(0.0, -lead)
    lost = (games - points) * np.logaddexp(0.0, lead)
    _, determinant = np.linalg.slogdet(design.information(games * chance * (1 - chance)))
    result: Array = penalty * determinant - (won + lost).sum(axis=1)
    return result


def profile_ends(
    design: Design,
    games: Array,
    points: Array,
    best: Fit,
    contrasts: Array,
    quantile: Array,
    *,
    penalty: float = 0.5,
) -> Array:
    """Return (C, 2), the low and high end of each contrast (C, K) of one fit.

    `games` and `points` are (N,), and `best` their fit; an end is where the likelihood ratio
    reaches the square of `quantile` (C,).  `penalty` is that of the fit.  nan for an end that the
    search does not reach.
    """
    count = len(contrasts)
    middle = np.tile(contrasts @ best.at[0], 2)
    held = np.tile(contrasts, (2, 1))
    sign = np.repeat([-1.0, 1.0], count)
    goal = np.tile(quantile, 2)
    toward = held @ best.covariance[0]
    error = np.sqrt((held * toward).sum(axis=1))
    # The symmetric end is where the search begins.
    value = middle + sign * goal * error
    at = best.at[0] + (sign * goal / error)[:, None] * toward
    often, won = (np.broadcast_to(part, (2 * count, len(part))) for part in (games, points))
    seeking = np.arange(2 * count)
    ends = np.full(2 * count, np.nan)
    for _ in range(MAX_MOVES):
        fit = penalised_fit(
            design,
            often[seeking],
            won[seeking],
            start=at[seeking],
            held=held[seeking],
            value=value[seeking],
            penalty=penalty,
            tolerance=1e-4,
        )
        root = np.sqrt(np.maximum(2 * (best.height[0] - fit.height), 1e-12))
        short = goal[seeking] - root
        # The signed root of the likelihood ratio is close to a line, so that Newton's method on
        # it takes few moves; its slope is the pull over the root.
        distance = np.abs(value[seeking] - middle[seeking])
        move = short * root / np.maximum(np.abs(fit.pull), 1e-9)
        move = np.clip(move, -0.7 * distance, 2 * distance)
        done = np.abs(short) < 1e-5 * goal[seeking]
        ends[seeking[done]] = value[seeking[done]]
        at[seeking] = fit.at
        value[seeking] += sign[seeking] * move
        seeking = seeking[~done]
        if not len(seeking):
            break
    return ends.reshape(2, count).T
