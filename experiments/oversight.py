"""Does a judge who cannot read a text decide better after a debate?  To copy and change.

    Khan et al., "Debating with More Persuasive LLMs Leads to More Truthful Answers", 2402.06782
    Michael et al., "Debate Helps Supervise Unreliable Experts", 2311.08702
    Kenton et al., "On scalable oversight with weak LLMs judging strong LLMs", 2407.04622
    Arnesen et al., "Training Language Models to Win Debates with Self-Play ...", 2409.16636

    arena run oversight                     simulated passages, advocates and judge, no key, seconds
    arena run oversight -o preset=michael   or kenton, or arnesen
    arena run oversight -o models=openai/gpt-5 -o judge=openai/gpt-5-nano \\
        -o questions=quality.jsonl -o passage=article -o number=50
    arena run oversight -o judges=openai/gpt-5-nano,anthropic/claude-haiku-4-5      further judges
    arena run oversight -o best_of=4 -o critiques=1 -o verdict=logprobs
    arena report --study oversight          by format; beliefs; quotes; strengths by judge
    python oversight.py                     this file as a program: the paper's numbers, too

A file has `question`, `answer` (a letter or a text), `choices`, and a column with the passage,
which `passage` names; without one, nothing is hidden (Kenton et al. have such tasks).  Arms of
every preset: the judge alone (naive) and with the text (expert).  Consultants argue once for the
right and once for a wrong answer: the row of both is the paper's accuracy.  Each pair of `models`
debates with each of them once for the right answer.  Further `judges` read the stored debates, with
their quotes checked and unchecked: nothing is argued again.

What could be checked of the papers (percent right):

    Khan        LLM judges: debate 76, naive 48, consultancy 54; people: debate 88, naive 60,
                consultancy 78.  Not known: expert judges, Elo.
    Michael     people: debate 84, consultancy 74; debates are 68% as long
    Kenton      nine tasks; debate beats consultancy on all where answers are assigned; direct
                answers are worse with hidden information, mixed without; in open roles judges are
                convinced of the wrong answer less often in debate.  Not known: numbers.
    Arnesen     judges are more accurate after training for debate, not for consultancy; two
                consultancies read as one are the control.  Not known: numbers.

Comparable: the order of formats, on QuALITY, with models of your own.  With simulated advocates
nothing can be compared: that a wrong answer can be quoted only by words that are made up, and that
the judge goes by quotes, was planted.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Literal

from agents import agent
from agents.simulated.passages import simulated_passages
from analysis.reports.beside_paper import print_beside
from arena import Agent, Arena, Arm, Sampling, Stage, Study
from arena.cli.study_program import run_study_program
from arena.errors import StudyError
from arena.studies.lineups import Lineup, agents_in
from arena.studies.questions import questions as read_questions
from protocols.oversight import consultancy, judged_debate
from protocols.oversight_judges import SHOWN, Quotes, Verdict, judge_alone, panel, scoring

ADVOCATES = ["sim/advocate:skill=0.6"]
JUDGE = "sim/evidence_judge:trust=0.7:doubt=0.7"
NAME = "oversight"
NAIVE, EXPERT = "naive", "expert"
Options = dict[str, object]
# The debates of each preset by arm, and whether its consultants choose their answer, too.
DEBATES: dict[str, dict[str, Options]] = {
    "khan": {"debate": {}, "interactive debate": {"judging": "asks"}},
    "michael": {
        "debate": {"schedule": "sequential", "judging": "may end", "beliefs": True, "rounds": 6}
    },
    "kenton": {"debate": {}, "open debate": {"argues": "chosen"}},
    "arnesen": {"debate": {"rounds": 2}, "two consultants": {"hears": "nobody", "rounds": 2}},
}
CONSULTANCIES: dict[str, Options] = {
    "michael": {"judging": "may end", "beliefs": True, "rounds": 6},
    "arnesen": {"judging": "silent", "rounds": 2},
}
PAPERS: dict[str, dict[str, str]] = {
    "khan": {
        NAIVE: "48 (people 60)",
        "debate": "76 (people 88)",
        "consultancy, both": "54 (people 78)",
    },
    "michael": {
        "debate": "84 (people)",
        "consultancy, both": "74 (people)",
    },
    "kenton": {
        "debate": "above consultancy",
        "open debate": "wrong answers believed less often",
    },
    "arnesen": {},
}


def study(
    *,
    preset: Literal["khan", "michael", "kenton", "arnesen"] = "khan",
    models: list[str] = ADVOCATES,
    judge: str = JUDGE,
    judges: list[str] | None = None,
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    passage: str | None = None,
    number: int = 60,
    rounds: int | None = None,
    quotes: Quotes = "checked",
    best_of: int = 1,
    critiques: int = 0,
    verdict: Verdict = "words",
    temperature: float = 0.4,
    repeats: int = 1,
) -> Sequence[Study | Stage]:
    """Return the debates, consultancies and baselines of a paper, and further judges of them.

    `questions` is a file with the columns `question`, `answer` and `passage`, of which the first
    `number` are asked, or else `number` simulated ones.  Raises StudyError for a judge that cannot
    judge: a simulated model of another kind, or one without the probabilities of a verdict.
    """
    debaters = [agent(each, sampling=Sampling(temperature=temperature)) for each in models]
    reader = agent(judge)
    others = [agent(each) for each in judges or ()]
    for each in (reader, *others):
        check_judge(each, verdict)
    shared: Options = {"quotes": quotes, "verdict": verdict}
    if rounds is not None:
        shared["rounds"] = rounds
    better: Options = {"best_of": best_of, "critiques": critiques}
    pairs: list[Lineup] = [
        {"debater": one, "opponent": other, "judge": reader}
        for one, other in product(debaters, repeat=2)
    ]
    subjects = (
        read_questions(questions, question=question, gold=answer, passage=passage)[:number]
        if questions
        else simulated_passages(number)
    )
    arms = [
        *baselines(reader, verdict, has_text=any(each.passage for each in subjects)),
        *(
            Arm(name, judged_debate, pairs, {**options, **shared})
            for name, options in DEBATES[preset].items()
        ),
        *consultancies(preset, debaters, reader, shared),
    ]
    if best_of != 1 or critiques:
        options = next(iter(DEBATES[preset].values()))
        arms.append(Arm("debate, optimised", judged_debate, pairs, {**options, **shared, **better}))
    played = Study(NAME, arms, subjects, repeats)
    if not others:
        return [played]
    alone = [
        Arm(arm.label, judge_alone, [{"judge": other} for other in others], arm.options)
        for arm in arms
        if arm.protocol is judge_alone
    ]
    return [
        played,
        Study(f"{NAME}, further judges alone", alone, subjects, repeats),
        panel(
            f"{NAME}, further judges",
            played,
            others,
            quotes=("checked", "unchecked"),
            verdict=verdict,
        ),
    ]


def check_judge(judge: Agent, verdict: Verdict) -> None:
    """Raise StudyError for an agent that cannot judge, or not by this kind of verdict."""
    name = judge.model.name
    if name.startswith("sim/") and not name.startswith("sim/evidence_judge"):
        raise StudyError(f"{name} judges no debates; of simulated models sim/evidence_judge does")
    if verdict == "logprobs":
        scoring(judge, tuple(SHOWN))


def baselines(judge: Agent, verdict: Verdict, *, has_text: bool) -> list[Arm]:
    """Return the arms of a judge whom nobody tells anything: naive, and expert with the text."""
    naive = Arm(NAIVE, judge_alone, [{"judge": judge}], {"verdict": verdict})
    if not has_text:
        return [naive]
    expert = {"verdict": verdict, "text": "shown"}
    return [naive, Arm(EXPERT, judge_alone, [{"judge": judge}], expert)]


def consultancies(
    preset: str, consultants: Sequence[Agent], judge: Agent, shared: Options
) -> list[Arm]:
    """Return the arms of one consultant, for the right and for a wrong answer, or for its own."""
    lineups = [{"consultant": each, "judge": judge} for each in consultants]
    sides = ["right", "wrong", *(["chosen"] if preset == "kenton" else [])]
    names = {"chosen": "open consultancy"}
    own = CONSULTANCIES.get(preset, {})
    return [
        Arm(
            names.get(side, f"consultancy, {side}"),
            consultancy,
            lineups,
            {**own, **shared, "argues": side},
        )
        for side in sides
    ]


def show_results(arena: Arena, played: Study) -> None:
    """Print the report, and each arm beside what was planted and what its paper has."""
    if played.name != NAME:
        print(arena.report(played.name))
        return
    labels = {arm.label for arm in played.arms}
    presets = [name for name, arms in DEBATES.items() if set(arms) <= labels]
    preset = max(presets, key=lambda name: len(DEBATES[name]))
    [lineup] = played.arms[0].lineups
    [judge] = agents_in(lineup)
    # A simulated judge who hears nobody knows nothing.
    planted = {NAIVE: 0.5} if judge.model.name == agent(JUDGE).model.name else {}
    print_beside(arena.path, played.name, planted, PAPERS[preset])


if __name__ == "__main__":
    run_study_program(__file__, show_results)
