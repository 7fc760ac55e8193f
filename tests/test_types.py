"""Types help whoever writes a study: README's study file is clean, planted mistakes are found."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
EXAMPLES = [code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL)]
STUDY = next(code for code in EXAMPLES if "async def second_thoughts" in code)

pytestmark = pytest.mark.slow


def mypy(folder: Path, code: str) -> str:
    """Check a study file in a folder of its own, strictly, and return what mypy says."""
    (folder / "study.py").write_text(code)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "study.py"]
    cache = ["--cache-dir", str(ROOT / ".mypy_cache" / "studies")]
    ended = subprocess.run(
        [*command, *cache], cwd=folder, capture_output=True, text=True, timeout=170, check=False
    )
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_examples_of_the_readme_have_no_error(tmp_path: Path, code: str) -> None:
    assert mypy(tmp_path, code) == ""


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ('phase="speech"', "phase=number", r'Argument "phase" .* "int"; expected "str"'),
        ("round=number", "rounds=number", r'Unexpected keyword argument "rounds"'),
        ('Study("second thoughts", [arm], ', 'Study("second thoughts", arm, ', r'"Arm"; expected'),
    ],
)
def test_a_planted_mistake_is_found(tmp_path: Path, right: str, wrong: str, message: str) -> None:
    assert STUDY.count(right) == 1
    assert re.search(message, mypy(tmp_path, STUDY.replace(right, wrong)))
