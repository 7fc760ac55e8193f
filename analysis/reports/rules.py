"""Read the rules of the numbers, which reports state on request: rules.md beside this file.

docs/rules.md shows the same rules to people; `python -m analysis.reports.rules` prints that page.
"""

from __future__ import annotations

import textwrap
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("rules.md")
HEAD = """\
# Rules of the numbers

After this page you know by which rule each number of a report is made.

```python
from analysis.reports.rules import rules

print(rules("debates")["ece"])
```

`arena report --rules`, `arena rank --rules` and `arena compare --rules` end with the rules of the
numbers that they print; `--json` always has them, under `rules`. This page is made from
`analysis/reports/rules.md` by `python -m analysis.reports.rules`.
"""


@cache
def sections() -> dict[str, dict[str, str]]:
    """Return the rules by section and name, in the order of the file."""
    # The file is plain enough for three line forms; whatever else it holds is for people.
    found: dict[str, dict[str, str]] = {}
    name = ""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            name = line.removeprefix("## ")
            found[name] = {}
        elif line.startswith("- "):
            rule, _, words = line.removeprefix("- ").partition(": ")
            found[name][rule] = words
    return found


def rules(section: str) -> dict[str, str]:
    """Return the rules of a section by name; raises KeyError for an unknown section."""
    return sections()[section]


def page() -> str:
    """Return the page of the documentation that shows all rules, as Markdown."""
    parts = [HEAD]
    for section, stated in sections().items():
        parts.append(f"## {section.capitalize()}\n")
        # A star would begin italics; code keeps it.
        lines = [f"- **{rule}**: {words.replace('*', '`*`')}" for rule, words in stated.items()]
        parts.append("".join(f"{wrap(line)}\n" for line in lines))
    return "\n".join(parts)


def wrap(line: str) -> str:
    """Return an item of a list in lines of up to 100 columns."""
    return textwrap.fill(
        line, 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


if __name__ == "__main__":
    print(page(), end="")
