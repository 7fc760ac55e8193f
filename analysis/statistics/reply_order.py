"""Sort the replies that an estimator scored, once, and count them under many weights of questions.

A bootstrap of questions changes how often a reply counts and never its place in the order, so that
each estimator is sorted once, whatever the number of draws.  Equal values stand together.

`values` (N,) are an estimator's scores, higher is surer, without nan; `right` (N,) is 0 or 1;
`question` (N,) is a code in [0, Q).  `weights` (B, Q) say how often each question counts in each of
B draws; ones give the numbers of the replies themselves.
"""

from __future__ import annotations

import numpy as np

from analysis.statistics.clustered import Array, Codes


def counts_by_value(
    values: Array, right: Array, question: Codes, weights: Array
) -> tuple[Array, Array]:
    """Return (right, all), both (B, U): the weights of replies with each value, the surest first.

    U is the number of different values; there are none without replies.
    """
    order = np.argsort(-values, kind="stable")
    weight = weights[:, question[order]]
    right_weight = weight * right[order]
    starts = first_of_each(values[order])
    if starts.size == order.size:
        return right_weight, weight
    counts = (np.add.reduceat(each, starts, axis=1) for each in (right_weight, weight))
    rights, everything = counts
    return rights, everything


def pairs_by_group(values: Array, right: Array, group: Codes, groups: int) -> tuple[Array, Array]:
    """Return (won, pairs), both (groups,): pairs of a right and a wrong reply of one group.

    A pair is won where the right reply has the higher value, half where both are equal.  `group`
    (N,) is a code in [0, groups).
    """
    order = np.lexsort((values, group))
    code = group[order]
    wrong = 1 - right[order]
    starts = first_of_each(code, values[order])
    if not starts.size:
        return np.zeros(groups), np.zeros(groups)
    wrong_here = np.add.reduceat(wrong, starts)
    right_here = np.add.reduceat(right[order], starts)
    own = code[starts]
    # Wrong replies below a value, less those of the groups before: one sum goes through them all.
    below = np.cumsum(wrong_here) - wrong_here
    below -= below[first_of_each(own)][np.cumsum(np.diff(own, prepend=own[0]) != 0)]
    won = np.bincount(own, right_here * (below + wrong_here / 2), groups)
    pairs = np.bincount(own, right_here, groups) * np.bincount(own, wrong_here, groups)
    return won.astype(np.float64), pairs.astype(np.float64)


def first_of_each(*columns: Array | Codes) -> Codes:
    """Return where runs of equal rows begin, of columns (N,) that are sorted."""
    if not columns[0].size:
        return np.empty(0, dtype=np.int64)
    changes = np.zeros(columns[0].size, dtype=np.bool_)
    changes[0] = True
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changes).astype(np.int64)
