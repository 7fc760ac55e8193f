"""The protocols of Peer Arena: one file a paper, each one async function like its pseudocode.

    from protocols import named

    named("self_consistency")

Other packages add protocols by entry point (arena/plugins.py).
"""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import TYPE_CHECKING

from arena.errors import StudyError
from arena.plugins import PROTOCOLS, find_plugin, plugins
from protocols import estimators

if TYPE_CHECKING:
    from arena.studies.study import Protocol

__all__ = ["named"]

# Where each protocol is.  Written down, so that it can be listed without importing any.
HOME = {
    "answer_preference": "protocols.self_preference",
    "ask_again": "protocols.ask_again",
    "asked_aside": "protocols.aside",
    "best_of_n": "protocols.best_of_n",
    "ck_plug": "protocols.ck_plug",
    "blind_jury": "protocols.blind_jury",
    "confidence_elicitation": "protocols.confidence",
    "consultancy": "protocols.oversight",
    "critique_and_revision": "protocols.critique_and_revision",
    "critic_and_judge": "protocols.critic_and_judge",
    "debate": "protocols.debate",
    "drafting": "protocols.drafting",
    "explain": "protocols.listener",
    "judge_alone": "protocols.oversight_judges",
    "judged_argument": "protocols.oversight_judges",
    "judged_debate": "protocols.oversight",
    "iterative_deepening": "protocols.iterative_deepening",
    "judging": "protocols.judging",
    "leap": "protocols.leap",
    "leap_segmented": "protocols.leap_segmented",
    "moa": "protocols.moa",
    "moderated": "protocols.moderated",
    "open_answer": "protocols.open_answer",
    "option_probability": "protocols.option_probability",
    "pair_panel": "protocols.pair_panel",
    "own_demonstrations": "protocols.own_demonstrations",
    "private_reasoning": "protocols.private_reasoning",
    "prover_estimator": "protocols.prover_estimator",
    "recheck": "protocols.recheck",
    "relative_confidence": "protocols.relative_confidence",
    "round_table": "protocols.round_table",
    "self_aggregation": "protocols.self_aggregation",
    "self_agreement": "protocols.self_agreement",
    "self_check": "protocols.critique",
    "self_consistency": "protocols.self_consistency",
    "self_ensembling": "protocols.self_ensembling",
    "self_questioning": "protocols.self_questioning",
    "self_refine": "protocols.self_refine",
    "single": "protocols.single",
    "situated_faithfulness": "protocols.situated_faithfulness",
    "soft_cot": "protocols.soft_cot",
    "society_of_minds": "protocols.society_of_minds",
    "speculative_thinking": "protocols.speculative_thinking",
    "thinking_out_loud": "protocols.thinking_out_loud",
    "universal_self_consistency": "protocols.universal_self_consistency",
    "weigh_peer": "protocols.weigh_peer",
}


def named(name: str) -> Protocol:
    """Return the protocol of a name, ours or that of an installed package.

    The name is the one in ids and in the column `episodes.protocol`.  Raises StudyError if there is
    no such protocol, if two packages have one, or if a package's function cannot be imported, has
    another name or no VERSION.
    """
    home = HOME | estimators.FUNCTIONS
    plugin = find_plugin(PROTOCOLS, name, ours=name in home)
    if plugin is None and name not in home:
        known = sorted({*home, *(plugin.name for plugin in plugins(PROTOCOLS))})
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise StudyError(f"there is no protocol {name!r}; {hint}there are {', '.join(known)}")
    if plugin is None:
        ours: Protocol = getattr(import_module(home[name]), name)
        return ours
    from arena.studies.study import protocol_name, protocol_version

    function: Protocol = plugin.load()
    # Ids and tables have the function's name: under another one nobody would find its episodes.
    if protocol_name(function) != name:
        raise plugin.error(ValueError(f"the function is called {protocol_name(function)!r}"))
    protocol_version(function)
    return function
