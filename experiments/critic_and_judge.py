"""Does a critic help a judge, and does it beat it?  To copy and change.

Of the kind of "Self-critiquing models for assisting human evaluators" (William Saunders et al.,
arXiv 2206.05802) and "LLM Critics Help Catch LLM Bugs" (Nat McAleese et al., arXiv 2407.00215).

    arena run critic_and_judge              simulated passages, critic and judge, no key, seconds
    arena run critic_and_judge -o solver=openai/gpt-5-mini -o critic=openai/gpt-5 \\
        -o judge=openai/gpt-5-nano -o questions=quality.jsonl -o passage=article
    arena report --study critic_and_judge
    python critic_and_judge.py              this file as a program: who is right, by seat

A file has `question`, `answer`, perhaps `choices`, and a column with the passage, which `passage`
names.  Arms: the critic helps, or is told to find fault whatever the reply; its quotes are checked,
or not.  In each play the judge decides whether the reply is right before it has read the critique
and after, and the critic says what it thinks itself.

What could be checked of the papers: people with critiques find flaws that they miss without (both
abstracts).  Numbers: not known.  Comparable: the sign of "with the critique" minus "alone".  With
the simulated critic nothing can be compared: that it knows the text, and that the judge goes by its
quotes, was planted.
"""

from __future__ import annotations

from agents import agent
from agents.simulated.passages import simulated_passages
from analysis.reports.beside_paper import print_beside
from arena import Arena, Arm, Study
from arena.cli.study_program import run_study_program
from arena.studies.questions import questions as read_questions
from protocols.critic_and_judge import critic_and_judge

BY_SEAT = """
    from (select arm, seat, count(correct) as decided,
                 round(100 * avg(correct::int), 1) as percent_right,
                 count(*) - count(correct) as missing
          from latest_answers join episodes using (episode)
          where study = ? and not final group by all)
    order by arm, list_position(['solver', 'judge alone', 'critic'], seat) nulls last
"""


def study(
    *,
    solver: str = "sim/advocate:honest=0.5",
    critic: str = "sim/advocate:skill=0.8",
    judge: str = "sim/evidence_judge:trust=2:doubt=2",
    questions: str | None = None,
    question: str = "question",
    answer: str = "answer",
    passage: str | None = None,
    number: int = 60,
    repeats: int = 1,
) -> Study:
    """Return an arm for each stance of the critic, with its quotes checked and unchecked."""
    seats = {"solver": agent(solver), "critic": agent(critic), "judge": agent(judge)}
    subjects = (
        read_questions(questions, question=question, gold=answer, passage=passage)[:number]
        if questions
        else simulated_passages(number)
    )
    arms = [
        Arm(f"{label}, quotes {quotes}", critic_and_judge, [seats], {"stance": s, "quotes": quotes})
        for label, s in (("helps", "help"), ("finds fault", "against"))
        for quotes in ("checked", "unchecked")
    ]
    return Study("critic_and_judge", arms, subjects, repeats)


def show_results(arena: Arena, played: Study) -> None:
    """Print the report, and who is right about the replies, by seat."""
    print_beside(arena.path, played.name, {}, {})
    print(arena.sql(BY_SEAT, [played.name]))


if __name__ == "__main__":
    run_study_program(__file__, show_results)
