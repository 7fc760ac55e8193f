"""Types help whoever writes a study: examples are clean, planted mistakes are found."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = {
    f"{page.stem.lower()}_{number}.py": code
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
}
STUDY = EXAMPLES["writing_a_protocol_0.py"]

pytestmark = pytest.mark.slow


def mypy(folder: Path, files: Mapping[str, str]) -> str:
    """Check Python files in a folder of their own, strictly, and return what mypy says."""
    for name, code in files.items():
        (folder / name).write_text(code)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *files]
    cache = ["--cache-dir", str(ROOT / ".mypy_cache" / "studies")]
    ended = subprocess.run(
        [*command, *cache], cwd=folder, capture_output=True, text=True, timeout=170, check=False
    )
    return ended.stdout + ended.stderr


def test_the_examples_of_the_documents_have_no_error(tmp_path: Path) -> None:
    assert len(EXAMPLES) >= 10
    assert mypy(tmp_path, EXAMPLES) == ""


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
    assert re.search(message, mypy(tmp_path, {"study.py": STUDY.replace(right, wrong)}))
