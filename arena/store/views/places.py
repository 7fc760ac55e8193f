"""Views of tables of agents: the place of what each read, whom it followed, and round by round."""

from __future__ import annotations

from arena.store.views.base import DONE, View

# What the first two views say of a turn that was shown.
SHOWN = {
    "reader": "the seat that was asked",
    "author": "the seat whose turn it was shown",
    "place": "the place of the turn in the prompt, from 1",
    "places": "how many turns the prompt shows, the reader's own among them",
}
# Phases in which a seat gives no answer of its own to the question.
NO_ANSWERS = "'ballot', 'judgement', 'summary', 'persona', 'another question', 'moderation'"
PLACE_VIEWS: dict[str, View] = {
    "reading_places": View(
        "One row is a turn of the same play that a reader was shown in a prompt, with its place"
        " among all that it was shown there",
        f"""
        with shown as (
            select episode, seat, step, unnest(prompt) as part,
                   generate_subscripts(prompt, 1) as number
            from turns),
        placed as (
            select episode, seat, step, part.seat as author, part.step as author_step,
                   row_number() over same as place, count(*) over (partition by episode, seat, step)
                       as places
            from shown where part.seat is not null and part.step is not null
                and part.episode = shown.episode
            window same as (partition by episode, seat, step order by number))
        select e.study, e.arm, t.episode, t.phase, t.round, t.seat as reader, t.step, p.author,
               p.author_step, a.round as author_round, p.place, p.places,
               p.author = t.seat as own
        from placed p join turns t using (episode, seat, step) {DONE}
        join turns a on a.episode = p.episode and a.seat = p.author and a.step = p.author_step
        """,
        {
            **SHOWN,
            "author_round": "the round of the author's turn; the reader's own round: it spoke"
            " before the reader in the same round",
            "own": "whether it is the reader's own turn",
        },
    ),
    "following": View(
        "One row is a reply of another that a reader of a question was shown in a round, with"
        " whether the reader changed to its answer; where all replies of others have one answer"
        " there is no row",
        f"""
        with numbered as (
            select episode, seat, step, phase, answer,
                   row_number() over (partition by episode, seat order by step) - 1 as stage
            from latest_turns where phase not in ({NO_ANSWERS})),
        answered as (
            select t.episode, t.seat, t.step, t.stage, t.phase, a.canonical, a.correct
            from numbered t join latest_answers a on a.episode = t.episode and a.seat = t.seat
                and a.stage = t.stage and a.answer is not distinct from t.answer
            where not a.final),
        read as (
            select p.*, now.canonical as answer, before.canonical as answer_before,
                   theirs.canonical as author_answer, theirs.correct as author_correct
            from reading_places p
            join answered now on now.episode = p.episode and now.seat = p.reader
                and now.step = p.step and now.phase <> 'statement'
            join answered before on before.episode = p.episode and before.seat = p.reader
                and before.stage = now.stage - 1
            join answered theirs on theirs.episode = p.episode and theirs.seat = p.author
                and theirs.step = p.author_step
            where not p.own and p.author_round >= p.round - 1)
        select study, arm, episode, reader, step, round, author, place, places, answer,
               answer_before, author_answer, author_correct,
               answer is not distinct from author_answer
                   and answer_before is distinct from author_answer and answer is not null
                   as followed
        from read
        window same as (partition by episode, reader, step)
        qualify min(author_answer) over same <> max(author_answer) over same
        """,
        {
            **SHOWN,
            "answer": "the reader's answer after reading, by value; NULL: unreadable",
            "answer_before": "the answer that it gave last before that",
            "author_answer": "the answer of the reply that it was shown",
            "author_correct": "whether that is right; NULL: cannot be told",
            "followed": "whether the reader had another answer, and has this one now",
        },
    ),
    "place_effects": View(
        "Share of readers that changed to the answer of a reply, by the place of the reply in"
        " their prompt; where authors always stand in the same place, that of the author too",
        """
        select study, arm, place, places, count(*) as shown,
               count(*) filter (followed) as followed, avg(followed::int) as share,
               avg(author_correct::int) as right_answers, count(distinct author) as authors
        from following group by all order by study, arm, places, place
        """,
        {
            "place": "the place of the reply in the prompt, from 1",
            "places": "how many turns the prompt shows, the reader's own among them",
            "shown": "replies of others that stood there, in prompts with more than one answer",
            "share": "followed / shown",
            "followed": "readers that changed to the answer of such a reply",
            "right_answers": "share of these replies with a right answer",
            "authors": "seats whose replies stood there; one alone: place and seat cannot be told"
            " apart",
        },
    ),
    "accuracy_by_stage": View(
        "Share of right answers of the seats at each stage, and of the same seats at their first",
        """
        with first as (
            select episode, seat, first(correct order by stage) as correct, min(stage) as stage
            from latest_answers where not final group by episode, seat)
        select e.study, e.arm, a.stage, count(distinct a.episode) as plays, count(*) as answers,
               count(*) filter (a.correct is null) as unreadable,
               case when count(a.correct) > 0
                    then count(*) filter (a.correct) / count(*) end as accuracy,
               case when count(f.correct) > 0
                    then count(*) filter (f.correct) / count(*) end as accuracy_at_first,
               accuracy - accuracy_at_first as change
        from latest_answers a semi join gradable using (episode)
        join episodes e on e.episode = a.episode and e.status = 'done'
        join first f on f.episode = a.episode and f.seat = a.seat
        where not a.final group by e.study, e.arm, a.stage order by e.study, e.arm, a.stage
        """,
        {
            "answers": "answers of seats at this stage, unreadable ones included",
            "unreadable": "of these, those of which it cannot be told whether they are right",
            "plays": "plays with an answer at this stage; talks that ended before have none",
            "accuracy": "right answers / answers; unreadable ones count as not right; NULL where"
            " none can be read",
            "accuracy_at_first": "the same of the first answers of these seats",
            "change": "accuracy minus accuracy_at_first: what talking has changed, on average; NULL"
            " where one of them is",
        },
    ),
    "early_ends": View(
        "What an end at the first agreement of all seats saves and changes, in plays that went on:"
        " by arm, of tables that have several stages",
        """
        with staged as (
            select episode, stage, count(*) as seats, count(canonical) as readable,
                   count(distinct canonical) as kinds, any_value(canonical) as canonical,
                   bool_or(correct) as correct
            from latest_answers where not final group by episode, stage),
        size as (
            select episode, max(seats) as seats, max(stage) as last, sum(seats) as answers
            from staged group by episode having max(stage) > 0),
        agreed as (
            select a.episode, min(a.stage) as stage, arg_min(a.canonical, a.stage) as canonical,
                   arg_min(a.correct, a.stage) as correct
            from staged a join size s using (episode)
            where a.kinds = 1 and a.readable = s.seats and a.seats = s.seats group by a.episode),
        after as (
            select a.episode, sum(a.seats) as answers from staged a
            join agreed g on g.episode = a.episode and a.stage > g.stage group by a.episode)
        select q.study, q.arm, count(*) as plays, count(g.episode) as agreed,
               avg(g.stage) as mean_stage, coalesce(sum(f.answers), 0) / sum(s.answers) as saved,
               count(*) filter (g.canonical = q.canonical) as same_answer,
               count(*) filter (g.correct and not coalesce(q.correct, false)) as right_to_wrong,
               count(*) filter (not g.correct and coalesce(q.correct, false)) as wrong_to_right
        from question_plays q join size s using (episode)
        left join agreed g using (episode) left join after f using (episode)
        group by q.study, q.arm order by q.study, q.arm
        """,
        {
            "plays": "finished plays that have several stages",
            "agreed": "plays in which all seats gave one answer at some stage",
            "mean_stage": "the mean of the first such stage, from 0",
            "saved": "share of all answers of the plays that were given after it",
            "same_answer": "agreed plays whose final answer is the one that was agreed on",
            "right_to_wrong": "agreed plays that were right then, and are not right in the end",
            "wrong_to_right": "agreed plays that were wrong then, and are right in the end",
        },
    ),
}
