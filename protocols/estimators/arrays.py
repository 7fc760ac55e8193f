"""Name the kinds of arrays that the formulas of estimators take and return."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]
# A sum of weights below this is 0, missed by rounding.
NO_WEIGHT = 1e-12
