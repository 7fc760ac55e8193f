"""Write a registration as a text to deposit, in Markdown, that a stranger can read."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping

import orjson

from arena.studies.registration import IMAGES, SEATED, Analysis, Plan, Stopping, say
from arena.text import pluralize, printable

MOST_LINEUPS = 40
MULTIPLICITY = {
    "holm": "p-values of the primary claims are adjusted by Holm's method",
    "bonferroni": "p-values of the primary claims are adjusted by Bonferroni's method",
    "bh": "p-values of the primary claims are adjusted by the method of Benjamini and Hochberg",
    "none": "p-values are not adjusted",
}


def deposit_text(plan: Plan) -> str:
    """Return the text to deposit of a plan, in Markdown."""
    lines = [
        f"# Registration of the study {plan.study}",
        "",
        f"- SHA-256: `{plan.hash}`",
        f"- Registered: {plan.registered_at[:19].replace('T', ' ')} UTC",
        f"- {begun_words(plan)}",
        f"- Made with: {', '.join(f'{name} {value}' for name, value in plan.versions.items())}",
        "",
        "The hash is that of the JSON file that goes with this text (`sha256sum` prints it). This"
        " text says in words what that file holds.",
        *section("Question", [plan.question or "None was stated."]),
        *section("Claims", claim_lines(plan.analysis)),
        *section("Design", design_lines(plan)),
        *section("Agents", agent_lines(plan)),
        *section("Motions and questions", subject_lines(plan)),
        *section("Exclusions", exclusion_lines(plan)),
        *section("Stopping rule", [stopping_words(plan.stopping, plan.episodes)]),
        *section("Code", code_lines(plan)),
        *section("First prompts", prompt_lines(plan.first_prompts)),
    ]
    return printable("\n".join(lines)) + "\n"


def section(title: str, lines: Iterable[str]) -> list[str]:
    """Return the lines of a section."""
    return ["", f"## {title}", "", *lines]


def begun_words(plan: Plan) -> str:
    """Say whether episodes of the study had begun, and whether it was registered before."""
    if plan.played_before:
        count = pluralize(plan.played_before, "episode")
        words = f"Registered AFTER {count} of this study had begun: their results could be known"
    else:
        words = "Registered before any episode of this study had begun in this store"
    if plan.earlier:
        words += f"; earlier registrations: {', '.join(each[:12] for each in plan.earlier)}"
    return words


def claim_lines(analysis: Analysis) -> Iterator[str]:
    """Yield what is claimed, the margin, and the adjustment of p-values."""
    if not analysis.claims:
        yield "None was registered: all results are exploratory."
    for primary, title in ((True, "Primary"), (False, "Secondary")):
        for claim in analysis.claims:
            if claim.primary == primary:
                number = f", {claim.number}" if claim.number else ""
                words = f". Expected: {one_line(claim.words)}" if claim.words else ""
                yield f"- {title}: `{claim.name}`{number}{words}"
    yield ""
    yield f"- Margin within which a mean counts as equal: {say(analysis.margin)}"
    yield f"- Multiplicity: {MULTIPLICITY[analysis.multiplicity]}."


def design_lines(plan: Plan) -> Iterator[str]:
    """Yield the arms with their protocols, options and lineups, and how often all is repeated."""
    repeats = len(plan.design.get("repeats", {}))
    yield f"{pluralize(plan.episodes, 'episode')}, {pluralize(repeats, 'repeat')}."
    several = {
        agent
        for agent, fields in plan.design["agents"].items()
        if any(len(values) > 1 for values in fields.values())
    }
    for arm, fields in plan.design["arms"].items():
        yield ""
        yield f"- Arm `{arm}`: protocol {', '.join(fields['protocol'])}"
        options = "; or ".join(setting_words(each) for each in fields["options"])
        yield f"  - options: {options or 'all at their defaults'}"
        for protocol in fields["protocol"]:
            defaults = plan.design["protocols"].get(protocol, {}).get("defaults", ())
            yield from (f"  - defaults of {protocol}: {one_line(words)}" for words in defaults)
        lineups = fields["lineup"]
        yield f"  - {pluralize(len(lineups), 'lineup')}:"
        yield from (f"    - {lineup}" for lineup in lineups[:MOST_LINEUPS])
        if len(lineups) > MOST_LINEUPS:
            yield f"    - and {len(lineups) - MOST_LINEUPS:,} more, in the JSON file"
        # Elsewhere the name alone says which agent it is.
        for words in fields.get(SEATED, ()):
            if words.partition(": ")[2].startswith(tuple(f"{agent} (" for agent in several)):
                yield f"  - seat {one_line(words)}"
    yield ""
    yield f"- Randomness: {plan.seeds}."
    for words in plan.later:
        yield f"- Later: {words}"


def agent_lines(plan: Plan) -> Iterator[str]:
    """Yield what tells the agents apart."""
    for agent, fields in plan.design["agents"].items():
        yield f"- `{agent}`"
        for name, values in fields.items():
            if name == "sampling":
                values = [setting_words(value) or "as the provider sets it" for value in values]
            shown = "; ".join(one_line(value) or "none" for value in values)
            yield f"  - {name}: {shown}"


def setting_words(text: str) -> str:
    """Return a JSON object as `name = value` in words, other texts as they are."""
    try:
        settings = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    if not isinstance(settings, dict):
        return text
    return "; ".join(f"{name} = {orjson.dumps(each).decode()}" for name, each in settings.items())


def subject_lines(plan: Plan) -> Iterator[str]:
    """Yield the motions or questions."""
    for fields in plan.design["subjects"].values():
        yield f"- {one_line(fields['text'][0])}"
        yield from (f"  - image with the SHA-256 {each}" for each in fields.get(IMAGES, ()))


def exclusion_lines(plan: Plan) -> Iterator[str]:
    """Yield what is left out of the results, and the command that makes them."""
    analysis = plan.analysis
    yield f"- Contestants are told apart by {analysis.by}."
    for option, value in (
        ("models", analysis.models),
        ("arms", analysis.arms),
        ("where", analysis.where),
    ):
        yield f"- `--{option}`: {say(value)}"
    left = "counted in" if analysis.leftovers else "left out"
    yield f"- Episodes of other plans of the study are {left}."
    options = ["arena", "report", "--study", plan.study, "--margin", f"{100 * analysis.margin:g}"]
    options += ["--by", analysis.by] if analysis.by != "agent" else []
    for name in ("models", "arms"):
        options += [word for value in getattr(analysis, name) for word in (f"--{name}", value)]
    options += ["--where", analysis.where] if analysis.where else []
    options += ["--leftovers"] if analysis.leftovers else []
    yield f"- Report: `{shlex.join(options)}`"


def stopping_words(rule: Stopping, episodes: int) -> str:
    """Say when the study ends."""
    if rule.usd is not None:
        return f"When ${rule.usd:g} are spent, or all {episodes:,} episodes have ended."
    if rule.episodes is not None and rule.episodes != episodes:
        return f"When {rule.episodes:,} of the {episodes:,} planned episodes have ended."
    return f"When all {episodes:,} planned episodes have ended."


def code_lines(plan: Plan) -> Iterator[str]:
    """Yield the protocols, readers and graders with hashes of their code."""
    yield "Hashes are of the code without comments, the first 16 digits of a SHA-256."
    yield ""
    for part, word in (("protocols", "Protocol"), ("readers", "Reader"), ("graders", "Grader")):
        for item, fields in plan.design.get(part, {}).items():
            values = (
                f"{name} {', '.join(found)}" for name, found in fields.items() if name != "defaults"
            )
            yield f"- {word} `{item}`: {'; '.join(values)}"
    items = plan.design.get("prompts", {})
    if items:
        yield ""
        yield "Prompts, as made with stand-ins for the models:"
        yield ""
        for item, fields in items.items():
            yield f"- {item}: {', '.join(fields['words'])}"


def prompt_lines(prompts: Mapping[str, str]) -> Iterator[str]:
    """Yield the words of the first request to each seat, each under its hash."""
    if not prompts:
        yield "None could be made."
    for digits, words in prompts.items():
        # Longer than any fence in the words of a prompt.
        fence = "`" * max(3, longest_run(words) + 1)
        yield from (f"`{digits}`:", "", f"{fence}text", words, fence, "")


def longest_run(text: str) -> int:
    """Return how many backticks stand in a row at most."""
    longest = run = 0
    for letter in text:
        run = run + 1 if letter == "`" else 0
        longest = max(longest, run)
    return longest


def one_line(text: str) -> str:
    """Return a text on one line."""
    return " ".join(text.split())
