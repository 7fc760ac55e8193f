"""Rules of numbers have one text, which the documentation shows."""

from __future__ import annotations

from pathlib import Path

from analysis.reports.rules import page, rules, sections

PAGE = Path(__file__).parents[3] / "docs" / "rules.md"


def test_every_section_has_sentences() -> None:
    assert {"debates", "robustness", "answers", "standings", "comparison"} <= set(sections())
    for section, stated in sections().items():
        assert stated, section
        assert all(words.endswith(".") for words in stated.values()), section
    assert "closed on the right" in rules("debates")["ece"]


def test_the_page_of_the_documentation_has_the_same_rules() -> None:
    told = "run: python -m analysis.reports.rules > docs/rules.md"
    assert PAGE.read_text(encoding="utf-8") == page(), told


def test_a_study_with_debates_and_answers_loses_no_rule() -> None:
    stated = [name for section in ("debates", "robustness", "answers") for name in rules(section)]
    assert len(stated) == len(set(stated))
