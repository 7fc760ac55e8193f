"""Read the rules of the numbers, which every report states: rules.md, also for people to read."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("rules.md")


@cache
def rules(section: str) -> dict[str, str]:
    """Return the rules of a section by name; raises KeyError for an unknown section."""
    # The file is plain enough for three line forms; whatever else it holds is for people.
    sections: dict[str, dict[str, str]] = {}
    name = ""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            name = line.removeprefix("## ")
            sections[name] = {}
        elif line.startswith("- "):
            rule, _, words = line.removeprefix("- ").partition(": ")
            sections[name][rule] = words
    return sections[section]
