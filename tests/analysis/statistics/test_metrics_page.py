"""The page of metrics names functions that exist, and every metric that papers use."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

TEXT = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
ROWS = [line.split("|")[1:] for line in TEXT.splitlines() if line.startswith("| ")]


def test_every_function_of_the_page_exists_and_is_documented() -> None:
    named = [
        (row[0], re.findall(r"`(?:([\w.]+)\.)?(\w+)`", row[3])) for row in ROWS if "`" in row[3]
    ]
    assert len(named) >= 35
    for metric, functions in named:
        file = functions[0][0]
        assert file, metric
        for other, name in functions:
            of = other or file
            # Formulas of estimators stand beside these, and are named with their whole path.
            module = import_module(of if "." in of else f"analysis.statistics.{of}")
            assert getattr(module, name).__doc__, f"{metric}: {name}"
