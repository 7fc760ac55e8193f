"""Report how models assess answers, their own and those of others, as far as a study asks for it.

Each finding has a module of its own; this one reads the store once for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from analysis.read.assessed_replies import read_assessed, read_verdicts
from analysis.read.contexts import read_contexts, read_told
from analysis.read.influence import read_influence
from analysis.read.juries import read_juries
from analysis.read.option_probabilities import read_option_answers, read_option_scores
from analysis.read.oversight import PROTOCOLS as PROTOCOLS_OF_JUDGES
from analysis.read.oversight import read_oversight
from analysis.read.preferences import read_preferences
from analysis.read.selection import ALL, Selection, open_selected
from analysis.read.talks import PROTOCOLS_OF_TALKS, read_talks
from analysis.read.thinking import read_thinking
from analysis.reports.contexts import FaithfulnessRow, WeighingRow, faithfulness_rows, weighing_row
from analysis.reports.critiques import CritiqueRow, critique_row
from analysis.reports.influence import InfluenceRow, influence_row
from analysis.reports.juries import JuryRow, jury_rows
from analysis.reports.listeners import ListenerFindings, listener_findings
from analysis.reports.option_probabilities import (
    OptionsRow,
    ReasoningRow,
    options_row,
    reasoning_rows,
)
from analysis.reports.oversight import OversightFindings, oversight_findings
from analysis.reports.plain_json import OPTIONAL
from analysis.reports.self_preference import SelfPreferenceRow, self_preference_rows
from analysis.reports.talks import TalkFindings, talk_findings
from analysis.reports.thinking import ThinkingRow, thinking_row

VIEWS = (
    *("episodes", "latest_turns", "latest_answers", "latest_scores", "calls"),
    *("following", "gradable"),
)
# Protocols in which a seat judges replies of the same play.
CRITICS = {"self_check", "critique_and_revision", "self_refine"}
WEIGHING = {"situated_faithfulness", "weigh_peer"}
PROTOCOLS = "select distinct protocol from episodes"


@dataclass(frozen=True, slots=True)
class Assessments:
    """What models make of answers in one study; None: the study does not ask for it.

    `options`: CL, CS and RSS from probabilities of options; `reasoning`: probabilities before and
    after reasoning; `critiques`: verdicts of critics on its replies; `listeners`: how sure
    others are of them; `thinking`: what they do not know, and confidence by length of reasoning;
    `self_preference`: how far they prefer their own answers; `weighing`: how well a rule decides
    between what they know and what they are told; `faithfulness`: how often methods are right over
    right and wrong texts; `jury`: which arm's texts a blind jury prefers;
    `influence`: how far a block of LeaP moves paths;
    `oversight`: how judges decide who know less than those who argue; `talks`: what
    talking changes at tables, and what a place does.
    """

    options: Annotated[tuple[OptionsRow, ...] | None, OPTIONAL] = None
    reasoning: Annotated[tuple[ReasoningRow, ...] | None, OPTIONAL] = None
    critiques: Annotated[tuple[CritiqueRow, ...] | None, OPTIONAL] = None
    listeners: Annotated[ListenerFindings | None, OPTIONAL] = None
    thinking: Annotated[tuple[ThinkingRow, ...] | None, OPTIONAL] = None
    self_preference: Annotated[tuple[SelfPreferenceRow, ...] | None, OPTIONAL] = None
    weighing: Annotated[tuple[WeighingRow, ...] | None, OPTIONAL] = None
    jury: Annotated[tuple[JuryRow, ...] | None, OPTIONAL] = None
    influence: Annotated[tuple[InfluenceRow, ...] | None, OPTIONAL] = None
    oversight: Annotated[OversightFindings | None, OPTIONAL] = None
    talks: Annotated[TalkFindings | None, OPTIONAL] = None
    faithfulness: Annotated[tuple[FaithfulnessRow, ...] | None, OPTIONAL] = None


def read_assessments(
    path: Path, study: str | None = None, selection: Selection = ALL
) -> Mapping[str, Assessments]:
    """Return the findings of each study that has some.

    Raises StoreError if the store cannot be read.
    """
    with open_selected(path, selection, VIEWS) as (con, _):
        played = {name for (name,) in con.execute(PROTOCOLS).fetchall()}
        # A store without these protocols is not read any further.
        options = read_option_answers(con, study) if "ask_again" in played else {}
        scores = read_option_scores(con, study) if "option_probability" in played else {}
        critiques = read_assessed(con, "critique", study) if "critique" in played else {}
        verdicts = read_verdicts(con, study) if CRITICS & played else {}
        heard = read_assessed(con, "listener", study) if "listener" in played else {}
        thoughts = read_thinking(con, study) if "thinking_out_loud" in played else {}
        weighed = read_contexts(con, study) if WEIGHING & played else {}
        told = read_told(con, study) if "situated_faithfulness" in played else {}
        texts = read_juries(con, study) if "blind_jury" in played else {}
        probed = read_influence(con, study) if "leap" in played else {}
        preferred = read_preferences(con, study) if "answer_preference" in played else {}
        judged = read_oversight(con, study) if PROTOCOLS_OF_JUDGES & played else {}
        talks = read_talks(con, study) if PROTOCOLS_OF_TALKS & played else {}
    return {
        name: Assessments(
            tuple(options_row(each) for each in options.get(name, ())) or None,
            tuple(row for each in scores.get(name, ()) for row in reasoning_rows(each)) or None,
            tuple(
                critique_row(each) for each in (*critiques.get(name, ()), *verdicts.get(name, ()))
            )
            or None,
            listener_findings(heard.get(name, ())),
            tuple(thinking_row(each) for each in thoughts.get(name, ())) or None,
            tuple(row for each in preferred.get(name, ()) for row in self_preference_rows(each))
            or None,
            tuple(weighing_row(each) for each in weighed.get(name, ())) or None,
            jury_rows(texts.get(name, ())) or None,
            tuple(influence_row(each) for each in probed.get(name, ())) or None,
            oversight=oversight_findings(judged.get(name, ())),
            talks=talk_findings(talks.get(name)),
            faithfulness=faithfulness_rows(told.get(name, ())) or None,
        )
        for name in {
            *options,
            *scores,
            *critiques,
            *verdicts,
            *heard,
            *thoughts,
            *preferred,
            *told,
            *weighed,
            *texts,
            *probed,
            *judged,
            *talks,
        }
    }
