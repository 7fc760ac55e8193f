"""A hand-written table of who entails whom, for the numbers of estimators that ask an NLI model.

Four replies to one question.  The probabilities were made up so that the two that mean the same are
the surest of each other, one is weaker than both, and one contradicts all; no model said them.
"""

from __future__ import annotations

import numpy as np

QUESTION = "In which city was Ada Lovelace born?"
REPLIES = ("London", "The city of London", "A city in England", "Paris")
# Of row and column: (entailment, neutral, contradiction) of the row's text and then the column's.
RELATIONS = np.array(
    [
        [[1, 0, 0], [0.90, 0.08, 0.02], [0.30, 0.60, 0.10], [0.02, 0.08, 0.90]],
        [[0.80, 0.15, 0.05], [1, 0, 0], [0.10, 0.55, 0.35], [0.05, 0.15, 0.80]],
        [[0.60, 0.30, 0.10], [0.20, 0.70, 0.10], [1, 0, 0], [0.10, 0.20, 0.70]],
        [[0.01, 0.04, 0.95], [0.03, 0.07, 0.90], [0.20, 0.30, 0.50], [1, 0, 0]],
    ]
)
# Of whole replies, and the number of their tokens.
LOG_PROBABILITIES = np.array([-2.0, -3.0, -1.5, -4.0])
TOKENS = np.array([4, 5, 3, 6])
PROBABILITIES_A_TOKEN = np.exp(LOG_PROBABILITIES / TOKENS)
