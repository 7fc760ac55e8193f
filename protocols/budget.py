"""Give every protocol the same budget a question, in calls or in generated tokens.

Each protocol of questions has in its module `options_for_calls(calls)`: the options with which it
makes at most so many calls a question.  Papers compare at equal calls, where one long chain of
thought counts as much as a short vote; equal tokens are the other reading.  Tokens of prompts count
in neither: a protocol that shows replies to others reads far more than one that votes, and the
table `calls` says how much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from arena.calls.estimate import CostEstimate
from arena.errors import StudyError
from arena.play.dry_run import estimate_cost
from arena.play.sync import run_blocking
from arena.store.replay import StudyState
from arena.studies.lineups import Lineup, seats_of
from arena.studies.study import (
    Arm,
    Options,
    Protocol,
    Study,
    option_parameters,
    plays,
    protocol_name,
)
from arena.types import Agent, Subject
from protocols import named

PROTOCOLS = (
    "single",
    "self_consistency",
    "self_agreement",
    "self_aggregation",
    "universal_self_consistency",
    "society_of_minds",
    "moa",
)
SHORT_REPLY_TOKENS = 50
# With a passage, for protocols that show one.
QUESTION = Subject(
    "How many calls?", "question", "A", ("four", "five"), passage="As many as it takes."
)


def arms(
    solver: Agent,
    *,
    calls: int | None = None,
    tokens: int | None = None,
    protocols: Sequence[str | Protocol] = PROTOCOLS,
    reask: bool | None = None,
) -> list[Arm]:
    """Return one arm for each protocol, with this agent and the same budget a question.

    `calls` is the most that a protocol may make; each gets its `options_for_calls(calls)`, else its
    own defaults.  A name such as "round_table:reconcile" is a preset of a protocol.  `tokens` is
    the most that may be generated in all: every call may generate tokens // (the calls that the
    protocol makes), set as the `max_tokens` of its agent.  Both may be given.  `protocols` are
    functions or names (`protocols.named`); `best_of_n` is not among the usual ones, since not every
    model gives token probabilities.  A last call is greedy if the model takes a temperature.

    Where no answer can be read a protocol asks once more, which neither budget counts: at worst
    twice as many calls are made.  `reask=False` asks nothing again.

    Raises StudyError if there is no budget, if it is too small for a protocol, for a function that
    is no protocol of questions, and for a protocol that limits its calls by options of its own and
    would generate more: size it by these options.
    """
    if calls is None and tokens is None:
        raise StudyError(
            "a fair comparison needs a budget a question; give calls=..., tokens=..., or both"
        )
    return [arm(solver, one, calls, tokens, reask) for one in protocols]


def arm(
    solver: Agent,
    wanted: str | Protocol,
    calls: int | None,
    tokens: int | None,
    reask: bool | None = None,
) -> Arm:
    """Return the arm of one protocol, or of a preset of one, within the budget."""
    name = wanted if isinstance(wanted, str) else protocol_name(wanted)
    home, _, preset = name.partition(":")
    protocol = named(home) if isinstance(wanted, str) else wanted
    known = option_parameters(protocol)
    options = preset_options(protocol, preset, calls) if preset else {}
    if calls is not None and not preset:
        options = dict(options_function(protocol)(calls))
    if reask is not None and "reask" in known:
        options["reask"] = reask
    # Some models refuse a temperature; with None the last call takes the agent's own sampling.
    if "final_temperature" in known and not takes_temperature(solver):
        options["final_temperature"] = None
    # Counted by playing with stand-ins, because what a protocol calls is known by its code alone.
    made = estimate_question(protocol, solver, options).calls
    if calls is not None and made > calls:
        raise StudyError(
            f"{name} makes {made} calls with the options of its options_for_calls({calls}):"
            f" {options}; mend it"
        )
    if tokens is not None:
        if tokens < made:
            raise StudyError(
                f"{tokens} tokens are too few for the {made} calls of {name}; give more, or fewer"
                " calls"
            )
        solver = replace(solver, sampling=replace(solver.sampling, max_tokens=tokens // made))
        # Replies longer than the budget show whether the limit holds in every call: a protocol that
        # sets max_tokens itself, such as leap, overrides that of the agent.
        longest = estimate_question(protocol, solver, options, tokens + 1).tokens_out
        if longest > tokens:
            raise StudyError(
                f"{name} has limits of its own and may generate {longest:,} tokens a question, not"
                f" {tokens:,}; set its options"
            )
    return Arm(preset or name, protocol, [everywhere(protocol, solver)], options)


def everywhere(protocol: Protocol, agent: Agent) -> Lineup:
    """Return the lineup with one agent in every seat.

    A seat that takes any number of agents gets the one, of which a protocol with
    `options_for_calls` makes as many copies as its options say.  Raises StudyError for another
    protocol with such a seat: what it calls hangs on the number.
    """
    seats = seats_of(protocol)
    lineup: dict[str, Agent | list[Agent]] = dict.fromkeys(seats.fixed, agent)
    if seats.variable is None:
        return lineup
    if "options_for_calls" not in getattr(protocol, "__globals__", {}):
        raise StudyError(
            f"{protocol_name(protocol)} takes any number of agents as {seats.variable}, so that a"
            " budget does not say how many; seat them in an Arm of your own"
        )
    return {**lineup, seats.variable: [agent]}


def options_function(protocol: Protocol) -> Callable[[int], Options]:
    """Return the `options_for_calls` of a protocol's module.  Raises StudyError if it has none."""
    # A function's globals are its module's names, also if the function was imported from there.
    names = getattr(protocol, "__globals__", {})
    function: Callable[[int], Options] | None = names.get("options_for_calls")
    if function is None:
        raise StudyError(
            f"{protocol_name(protocol)} is not sized by a number of calls a question: its module"
            " has no function `options_for_calls`"
        )
    return function


def preset_options(protocol: Protocol, preset: str, calls: int | None) -> dict[str, object]:
    """Return the options of a preset of a protocol, within a number of calls if there is one.

    Raises StudyError for a protocol without such a preset.
    """
    names = getattr(protocol, "__globals__", {})
    presets: Mapping[str, Options] = names.get("PRESETS", {})
    if preset not in presets:
        raise StudyError(
            f"{protocol_name(protocol)} has no preset {preset!r}; there are"
            f" {', '.join(presets) or 'none'}"
        )
    sized: Callable[[int, str], Options] | None = names.get("options_for_calls")
    return dict(presets[preset] if calls is None or sized is None else sized(calls, preset))


def estimate_question(
    protocol: Protocol, solver: Agent, options: Options, reply_tokens: int = SHORT_REPLY_TOKENS
) -> CostEstimate:
    """Estimate the cost of one question by playing the protocol once with stand-ins.

    No model is asked and nothing is written.  The stand-ins' replies have `reply_tokens` tokens, or
    as many as a call may have.  Raises StudyError, with the reason, if the protocol fails with
    them.
    """
    arm = Arm("budget", protocol, [everywhere(protocol, solver)], options)
    study = Study("budget", [arm], [QUESTION])
    nothing = StudyState(None, {}, {}, {}, {})
    estimate = run_blocking(
        lambda: estimate_cost(plays(study), nothing, {}, reply_tokens=reply_tokens)
    )
    if estimate.failed:
        raise StudyError(
            f"{protocol_name(protocol)} cannot be played by {solver.model.name}: {estimate.why}"
        )
    return estimate


def takes_temperature(agent: Agent) -> bool:
    """Return whether a model takes a temperature of 0, as far as it knows."""
    return agent.model.unsupported_reason(replace(agent.sampling, temperature=0.0)) is None
