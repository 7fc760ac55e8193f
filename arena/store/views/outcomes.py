"""Views of who won: votes out of verdicts, outcomes out of votes, and what sides make of these.

`votes` (what a judge says over all seat orders), `retests` (how often it agrees with itself),
`outcomes` (who won), `debaters` (the result of each side), `leaderboard`, `juries` (who judged) and
`flips`.  A debate is won by the majority of votes.  The sum of the votes' confidences, by which the
published debates are decided (arXiv 2505.19184), is the other rule, and stands beside it under its
own name.
"""

from __future__ import annotations

from arena.store.views.base import View

# 1 for a side that won by a rule of the view outcomes, 0 where it lost, NULL where not decided.
RESULT = (
    "case when o.{rule} = side.seat then 1.0 when o.{rule} = 'tie' then 0.5"
    " when o.{rule} is not null then 0.0 end::double"
)

OUTCOME_VIEWS: dict[str, View] = {
    # A reading is missing with its vote: what the judge says in one order alone may hang on it.
    "votes": View(
        "One row is a judge's vote on a debate: its word in all seat orders that it read, in one"
        " repeat; a winner that changed with the order is an abstention, and flipped",
        """
        with said as (
            select d.study, j.study as jury, v.debate, v.judge, v.repeat, count(*) as readings,
                   count(*) filter (v.winner = 'proposition') as pro,
                   count(*) filter (v.winner = 'opposition') as con,
                   count(*) filter (v.winner is null) as unread,
                   count(v.confidence) as rated, avg(v.confidence) as mean_confidence,
                   coalesce(
                       min(v.seat_order) filter (v.winner in ('proposition', 'opposition'))
                       <> max(v.seat_order) filter (v.winner in ('proposition', 'opposition')),
                       false) as both_orders
            from verdicts v join episodes d on d.episode = v.debate and d.status = 'done'
            join plays j on j.episode = v.episode
            group by d.study, j.study, v.debate, v.judge, v.repeat)
        select study, jury, debate, judge, repeat,
               case when unread > 0 then null when pro = readings then 'proposition'
                    when con = readings then 'opposition' else 'abstain' end as winner,
               case when pro = readings or con = readings then
                   case when rated = readings then mean_confidence end end as confidence,
               both_orders and pro > 0 and con > 0 as flipped, both_orders, readings
        from said
        """,
        {
            "study": "the study of the debate",
            "jury": "the study of the judging",
            "winner": "the side that all its readings name, else abstain; NULL: a reading is"
            " missing",
            "confidence": "mean over its readings, in [0, 1]; NULL without a side, or where one"
            " is missing",
            "flipped": "whether it named one side in one seat order and the other in the other",
            "both_orders": "whether it named a side in more than one seat order",
            "readings": "its verdicts, one for each seat order",
        },
    ),
    # Counted by winner, not by joining readings with each other, which takes longer.
    "retests": View(
        "One row is a judge that read a debate, and how often two of its readings in the same order"
        " of sides agree",
        """
        with texts as (
            select d.study, v.debate, v.judge, count(*) as n,
                   count(*) filter (v.winner = 'proposition') as pro,
                   count(*) filter (v.winner = 'opposition') as con, n - pro - con as neither
            from verdicts v join episodes d on d.episode = v.debate and d.status = 'done'
            where v.winner is not null group by d.study, v.debate, v.judge, v.seat_order)
        select study, debate, judge, sum(n * (n - 1) // 2)::bigint as pairs,
               sum((pro * (pro - 1) + con * (con - 1) + neither * (neither - 1)) // 2)::bigint
                   as same
        from texts group by study, debate, judge
        """,
        {
            "study": "the study of the debate",
            "pairs": "pairs of its readings of the debate in the same order of sides",
        },
    ),
    # Sums of the same numbers in another order differ in their last digits: they are rounded.
    "outcomes": View(
        "One row is a judged debate: its votes, and the winner by the majority of votes and by the"
        " sum of the votes' confidences",
        """
        with counts as (
            select study, debate,
                   count(*) filter (winner = 'proposition') as votes_proposition,
                   count(*) filter (winner = 'opposition') as votes_opposition,
                   count(*) filter (winner = 'abstain') as abstained,
                   count(*) filter (winner = 'abstain' and flipped) as flipped,
                   count(*) filter (winner is null) as missing,
                   coalesce(sum(confidence) filter (winner = 'proposition'), 0)
                       as sum_proposition,
                   coalesce(sum(confidence) filter (winner = 'opposition'), 0)
                       as sum_opposition,
                   count(*) filter (winner in ('proposition', 'opposition')
                                    and confidence is null) as without_confidence
            from votes group by study, debate),
        leads as (
            select *, votes_proposition - votes_opposition as by_votes,
                   round(sum_proposition - sum_opposition, 9) as by_sum,
                   votes_proposition + votes_opposition + abstained > 0 as voted
            from counts)
        select * exclude (by_votes, by_sum, voted),
               case when not voted then null when by_votes > 0 then 'proposition'
                    when by_votes < 0 then 'opposition' else 'tie' end as majority,
               case when not voted or without_confidence > 0 then null
                    when by_sum > 0 then 'proposition' when by_sum < 0 then 'opposition'
                    else 'tie' end as confidence_sum
        from leads
        """,
        {
            "study": "the study of the debate",
            "votes_proposition": "votes for the proposition",
            "votes_opposition": "votes for the opposition",
            "abstained": "votes for neither side: those that abstained, and those that flipped",
            "flipped": "of these, votes whose winner changed with the seat order",
            "sum_proposition": "sum of the confidences of the votes for the proposition",
            "sum_opposition": "sum of the confidences of the votes for the opposition",
            "missing": "votes of which a verdict could not be read, or failed",
            "majority": "won by the majority of votes: the side with more votes, or tie, also where"
            " all abstained; NULL without a vote",
            "without_confidence": "votes for a side whose confidence could not be read",
            "confidence_sum": "won by confidence sum: the side with the larger sum of its votes'"
            " confidences, or tie; NULL without a vote, or where a vote for a side has no"
            " confidence",
        },
    ),
    # Ratings stay out of this view, so that who won need not read turns.
    "debaters": View(
        "One row is a side of a debate: who held it, against whom, and whether it won by the"
        " majority of votes",
        f"""
        select d.study, d.arm, d.episode, d.subject, d.repeat, side.seat,
               case when side.first then d.proposition_agent else d.opposition_agent end as agent,
               case when side.first then d.opposition_agent else d.proposition_agent end
                   as opponent_agent,
               case when side.first then d.proposition_model else d.opposition_model end as model,
               case when side.first then d.opposition_model else d.proposition_model end
                   as opponent_model,
               case when side.first then d.proposition_contestant else d.opposition_contestant end
                   as contestant,
               case when side.first then d.opposition_contestant else d.proposition_contestant end
                   as opponent_contestant,
               d.against_itself, {RESULT.format(rule="majority")} as result,
               {RESULT.format(rule="confidence_sum")} as result_by_confidence_sum
        from debates d
        cross join (values ('proposition', true), ('opposition', false)) side(seat, first)
        left join outcomes o on o.debate = d.episode
        """,
        {
            "seat": "proposition or opposition",
            "opponent_agent": "the other side's agent",
        },
    ),
    "leaderboard": View(
        "Wins by contestant over debates against others, by the majority of votes, and beside it"
        " by confidence sum; a tie is half a win",
        """
        select d.study, d.contestant, any_value(d.agent) as agent, any_value(d.model) as model,
               count(*) as debates, sum(d.result) as wins, wins / count(*) as win_rate,
               count(d.result_by_confidence_sum) as debates_by_confidence_sum,
               sum(d.result_by_confidence_sum) as wins_by_confidence_sum,
               wins_by_confidence_sum / nullif(debates_by_confidence_sum, 0)
                   as win_rate_by_confidence_sum,
               sum(o.flipped)::bigint as flipped
        from debaters d join outcomes o on o.debate = d.episode
        where d.result is not null and d.contestant <> d.opponent_contestant
        group by d.study, d.contestant order by d.study, win_rate desc, d.contestant
        """,
        {
            "debates": "judged debates against others in which it sat",
            "wins": "won by the majority of votes; a tie counts one half",
            "win_rate": "wins over debates, in [0, 1]",
            "debates_by_confidence_sum": "of the debates, those in which no vote for a side lacks a"
            " confidence",
            "wins_by_confidence_sum": "of these, won by the larger sum of the votes' confidences; a"
            " tie counts one half",
            "win_rate_by_confidence_sum": "their share, in [0, 1]",
            "flipped": "votes on its debates that changed with the seat order, and count as"
            " abstentions",
        },
    ),
    "juries": View(
        "One row is a study that judged finished debates of a study, or of its own",
        """
        select d.study, j.study as jury, count(*) as verdicts, bool_or(s.simulated) as simulated
        from verdicts v join episodes d on d.episode = v.debate and d.status = 'done'
        join episodes j on j.episode = v.episode left join studies s on s.study = j.study
        group by d.study, j.study order by all
        """,
        {
            "study": "the study of the debates",
            "jury": "the study of the verdicts",
            "verdicts": "its verdicts on them, those that failed or could not be read included",
            "simulated": "whether simulated or scripted models spoke in any run of the jury",
        },
    ),
    "flips": View(
        "How often a judge changed the winner when the sides stood in the other order",
        """
        select judge, count(*) as pairs, count(*) filter (flipped) as flips,
               flips / count(*) as flip_rate
        from votes where both_orders group by judge order by all
        """,
        {
            "pairs": "votes in which the judge named a side in both orders",
            "flips": "of these, with another winner in the other order",
            "flip_rate": "flips over pairs",
        },
    ),
}
