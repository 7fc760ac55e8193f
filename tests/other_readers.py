"""Run a program with the reader of another system, in whichever Python has it.

The readers of Inspect Scout and the hub want versions of packages that are not ours, so that they
may have an environment of their own: the variable OTHER_READERS_PYTHON names its Python.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def python_with(package: str) -> str:
    """The Python that has a package; the test is skipped by the package's name if none has."""
    if importlib.util.find_spec(package) is not None:
        return sys.executable
    other = os.environ.get("OTHER_READERS_PYTHON")
    if other:
        found = subprocess.run([other, "-c", f"import {package}"], capture_output=True, check=False)
        if found.returncode == 0:
            return other
    pytest.skip(f"{package} is not installed (OTHER_READERS_PYTHON names no Python that has it)")


def read_with(package: str, program: str, folder: Path) -> Any:
    """What a program prints as JSON in its last line, run in this folder, without a network."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    environment["HF_HOME"] = str(folder / "hf_home")
    ended = subprocess.run(
        [python_with(package), "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.strip().splitlines()[-1])
