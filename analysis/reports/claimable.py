"""Say why a planned study cannot have a number of the report, before it is registered.

Only the plan is looked at: a number can still be missing because of what is played.
"""

from __future__ import annotations

from collections.abc import Sequence

from arena.studies.lineups import agents_in
from arena.studies.study import Arm, Study, protocol_name

SIDES = {"proposition", "opposition"}
OF_DEBATES = ("confidence", "rise", "slope", "both_above_75", "above_half", "equivalence", "gap")
OF_VERDICTS = ("gap", "brier")
OF_ANSWERS = ("accuracy", "difference", "contrast")


def why_not_claimable(claim: str, studies: Sequence[Study], arm: str = "") -> str:
    """Return why no study has the number that a claim names, in its arm if one is given.

    "" if one may have it; `claim` is a key of CLAIMS (registered_claims.py).
    """
    arms = [each for study in studies for each in study.arms if arm in ("", each.label)]
    debates = [each for each in arms if is_debate(each)]
    if claim in (*OF_DEBATES, *OF_VERDICTS, "control") and not debates:
        return "it is of debates between a proposition and an opposition, and none is planned"
    if claim in ("above_half", "equivalence") and not any(map(has_self_debate, debates)):
        return "it is of debates of a model against itself, and none is planned"
    every = [each for study in studies for each in study.arms]
    if claim == "control" and len(list(filter(is_debate, every))) < 2:
        return "it compares a debate with its control arms, and one arm alone is planned"
    if claim in OF_ANSWERS and all(each.gold is None for s in studies for each in s.subjects):
        return "it is of questions with a known answer, and none is planned"
    if claim in ("difference", "contrast") and len(every) < 2:
        return "it compares arms, and one alone is planned"
    if claim == "contrast" and not any(protocol_name(each.protocol) == "leap" for each in every):
        return "it is of LeaP and its control arms, and none is planned"
    return ""


def is_debate(arm: Arm) -> bool:
    """Tell whether an arm seats a proposition against an opposition."""
    return any(SIDES.issubset(lineup) for lineup in arm.lineups)


def has_self_debate(arm: Arm) -> bool:
    """Tell whether a model of an arm debates itself."""
    return any(
        SIDES.issubset(lineup)
        and len({agent.model.name for side in SIDES for agent in agents_in({side: lineup[side]})})
        == 1
        for lineup in arm.lineups
    )


def words_on_verdicts(claims: Sequence[str], later: Sequence[str]) -> str:
    """Return a warning where claims need verdicts and no later study gives any, else ""."""
    needing = [claim for claim in claims if claim.partition("@")[0] in OF_VERDICTS]
    if not needing or later:
        return ""
    return f"{' and '.join(needing)}: verdicts are needed, and this file plans no jury"
