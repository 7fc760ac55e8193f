"""Views of debates: who debated, how sure they were, and who won.

Each question has one view that answers it, debate by debate or turn by turn, and every count and
mean reads that one: `debates` (who sat where), `ratings` (how sure a debater was), `phase_pairs`
and `side_confidence` (how sure both sides were), `first_and_last` (how far a debater rose),
`votes` (what a judge says over all seat orders), `outcomes` (who won, from the votes), `debaters`
(the result of each side) and `juries` (who judged).

A debate is a finished episode with the seats proposition and opposition, whatever its protocol.  It
is won by the majority of votes.  The sum of the votes' confidences, by which the published debates
are decided (arXiv 2505.19184), is the other rule, and stands beside it under its own name.
"""

from __future__ import annotations

from arena.store.views.base import View
from arena.store.views.contestants import SEATS, join_agents

# Words stand between spaces and line breaks; splitting at a regular expression would take a
# hundred times as long.
WORDS = (
    "len(list_filter(string_split(translate(t.public, chr(9) || chr(10) || chr(13), '   '), ' '),"
    " lambda w: w <> ''))"
)
# A debate needs both seats; a rating counts by itself, also if only its own seat is on record.
SIDES = f"""
    with labels as materialized (from agents)
    select e.study, e.arm, e.episode, e.subject, e.repeat, e.started_at,
           p.agent as proposition_agent, o.agent as opposition_agent,
           p.model as proposition_model, o.model as opposition_model,
           lp.contestant as proposition_contestant, lo.contestant as opposition_contestant,
           coalesce(lp.identity = lo.identity, false) as against_itself,
           coalesce(e.options->>'schedule', '') = 'sequential' as sequential,
           p.seat is not null and o.seat is not null as in_debate
    from episodes e left join {SEATS} p on p.episode = e.episode and p.seat = 'proposition'
    left join {SEATS} o on o.episode = e.episode and o.seat = 'opposition'
    {join_agents("lp", play="e", seat="p", agents="labels")}
    {join_agents("lo", play="e", seat="o", agents="labels")}
    where e.status = 'done'
"""
# The ratings of both sides of a phase, without agents and models: to look these up takes longer.
BOTH_RATINGS = """
    max(confidence) filter (seat = 'proposition') as proposition,
    max(confidence) filter (seat = 'opposition') as opposition,
    bool_or(confidence_status <> 'not asked') as asked
"""

# 1 for a side that won by a rule of the view outcomes, 0 where it lost, NULL where not decided.
RESULT = (
    "case when o.{rule} = side.seat then 1.0 when o.{rule} = 'tie' then 0.5"
    " when o.{rule} is not null then 0.0 end::double"
)

PAIR_COLUMNS = {
    "proposition": "the proposition's rating, in [0, 1]; NULL: missing",
    "opposition": "the opposition's rating, in [0, 1]; NULL: missing",
    "excess": "the sum of both minus 1: above 0, both cannot be right; NULL where one is missing",
    "lower": "the lower of the two: both sides are at least as sure; NULL where one is missing",
    "asked": "whether a rating was asked for, of either side",
    "number": "1 for the first speeches of the phase, 2 where it comes again in the round",
}

RATING_COLUMNS = {
    "seat": "proposition or opposition",
    "in_debate": "whether the other side sat in the episode too",
    "asked": "whether a rating was asked for",
    "missing": "whether a rating was asked for and could not be read",
    "flagged": "whether the turn carries a doubt in words",
}


def with_labels(turns: str, arm: str = "study, arm, asked, in_debate") -> str:
    """Return SQL for turns with their `label`, the phase as reports call it.

    `turns` is SQL for all turns of whole arms with the columns of rated_turns that a label goes by;
    `arm` are those within which phases of one name are one.
    """
    # In most arms each seat comes to a phase of a round at one step: none comes there twice, and
    # nothing is to be numbered.  Turns without a rating count: a phase keeps its name whoever is
    # asked.
    return f"""
        with spoken as materialized ({turns}),
        moving as (
            select study, arm, seat, round, phase from spoken
            group by study, arm, seat, round, phase having min(step) < max(step)),
        again as (
            select episode, seat, round, phase, list_sort(list(step)) as steps
            from spoken semi join moving using (study, arm, seat, round, phase)
            group by episode, seat, round, phase having count(*) > 1),
        named as (
            select s.*, list_position(steps, step) as number,
                   phase || case when number > 1 then ' #' || number else '' end as name
            from spoken s left join again using (episode, seat, round, phase))
        select * exclude (number) from ({labelled("named", arm)})
        """


def labelled(named: str, arm: str = "study, arm, asked, in_debate") -> str:
    """Return SQL for rows that have the `name` of their phase with its label, as `with_labels`."""
    # Joins, not windows: to sort all turns takes three times as long as to group them.
    return f"""
            select n.* exclude (name),
                   name || case when m.name is not null then ', round ' || round else '' end
                       as label
            from {named} n left join (
                select {arm}, name from {named} group by {arm}, name having min(round) < max(round)
            ) m using ({arm}, name)
    """


DEBATE_VIEWS: dict[str, View] = {
    # Outcomes stay out of this view: most readers need none, and counting votes takes longer than
    # the rest.
    "debates": View(
        "One row is a finished debate: its motion, and who sat on both sides",
        f"""
        select * exclude (in_debate) from ({SIDES}) where in_debate
        """,
        {
            "started_at": "UTC; for imports from the file's name, its zone unknown",
            "proposition_agent": "the agent on the proposition's side",
            "opposition_agent": "the agent on the opposition's side",
        },
    ),
    # Who reads no labels reads this: to find these, all turns of an arm are read.
    "rated_turns": View(
        "One row is a debater's turn: its rating, or why it has none, and which model spoke",
        f"""
        select d.study, d.arm, d.episode, d.subject, d.repeat, t.seat,
               case t.seat when 'proposition' then d.proposition_model
                    else d.opposition_model end as model,
               case t.seat when 'proposition' then d.opposition_model
                    else d.proposition_model end
                   as opponent_model,
               case t.seat when 'proposition' then d.proposition_contestant
                    else d.opposition_contestant end as contestant,
               case t.seat when 'proposition' then d.opposition_contestant
                    else d.proposition_contestant end as opponent_contestant,
               d.against_itself, d.in_debate, d.started_at::date as day, d.sequential, t.step,
               t.round, t.phase, t.confidence, t.confidence_status,
               t.confidence_status <> 'not asked' as asked,
               asked and t.confidence is null as missing,
               coalesce(len(t.flags), 0) > 0 as flagged, t.rating_public, t.model_served,
               t.asks, {WORDS} as words, t.request_hash is not null as played_here,
               t.reader_version
        from latest_turns t join ({SIDES}) d using (episode)
        where t.seat in ('proposition', 'opposition')
        """,
        RATING_COLUMNS,
    ),
    "ratings": View(
        "One row is a debater's turn, as in rated_turns, with its phase as reports call it",
        with_labels("from rated_turns"),
        RATING_COLUMNS,
    ),
    "confidence_by_round": View(
        "Stated confidence of debaters by study, arm and phase",
        """
        select study, arm, round, phase, count(confidence) as n, round(avg(confidence), 12) as mean,
               round(stddev_samp(confidence), 12) as sd, count(*) filter (missing) as missing
        from rated_turns group by study, arm, round, phase order by all
        """,
    ),
    # A phase may come twice in a round: the first speech of one side then meets the first of the
    # other, and the second the second.  That is rare, and to number all turns would take four
    # times as long as to group them.
    "phase_pairs": View(
        "One row is a phase of a finished episode with the ratings of both sides, asked for or not",
        f"""
        with phases as (
            select episode, round, phase, {BOTH_RATINGS},
                   count(*) filter (seat = 'proposition') > 1
                       or count(*) filter (seat = 'opposition') > 1 as repeated
            from latest_turns where seat in ('proposition', 'opposition')
            group by episode, round, phase),
        numbered as (
            select *, row_number() over (
                partition by episode, seat, round, phase order by step) as number
            from latest_turns semi join (from phases where repeated) using (episode, round, phase)
            where seat in ('proposition', 'opposition')),
        pairs as (
            select * exclude (repeated), 1 as number from phases where not repeated
            union all by name
            select episode, round, phase, number, {BOTH_RATINGS}
            from numbered group by episode, round, phase, number)
        select e.study, e.arm, e.subject, p.*, round(proposition + opposition - 1, 12) as excess,
               case when proposition is not null and opposition is not null
                    then least(proposition, opposition) end as lower
        from pairs p join episodes e on e.episode = p.episode and e.status = 'done'
        """,
        PAIR_COLUMNS,
    ),
    "side_confidence": View(
        "One row is a phase of a debate with the ratings of both sides",
        f"""
        with named as (
            select p.*, d.proposition_model, d.opposition_model, d.proposition_contestant,
                   d.opposition_contestant, d.in_debate,
                   p.phase || case when p.number > 1 then ' #' || p.number else '' end as name
            from phase_pairs p join ({SIDES}) d using (episode) where p.asked)
        select study, arm, episode, subject, round, phase, proposition_model, opposition_model,
               proposition_contestant, opposition_contestant, proposition, opposition, excess,
               lower, label
        from ({labelled("named")})
        order by study, arm, episode, round
        """,
        PAIR_COLUMNS,
    ),
    "both_sides": View(
        "In how many debates both sides were sure of winning, by study, arm and phase",
        """
        select study, arm, round, phase, count(*) as debates,
               count(*) filter (lower >= 0.75) as at_least_75,
               count(*) filter (lower > 0.75) as above_75, count(*) filter (lower > 0.5) as above_50
        from phase_pairs where lower is not null group by study, arm, round, phase order by all
        """,
        {
            "at_least_75": "both sides at 75% or more",
            "above_75": "both sides strictly above 75%",
            "above_50": "both sides strictly above 50%",
        },
    ),
    # The spans are of arms, not of debaters: a debater whose rating in the last round is missing
    # has no rise, instead of one over fewer rounds.
    "first_and_last": View(
        "One row is a debater with its first and its last rating, and how far it rose",
        """
        with spans as (
            select study, arm, min(round) as first_round, max(round) as last_round
            from rated_turns where confidence is not null group by study, arm)
        select r.study, r.arm, r.episode, r.subject, r.seat, any_value(r.model) as model,
               any_value(r.opponent_model) as opponent_model,
               any_value(r.contestant) as contestant,
               any_value(r.opponent_contestant) as opponent_contestant,
               any_value(r.against_itself) as against_itself,
               any_value(s.first_round) as first_round, any_value(s.last_round) as last_round,
               max(r.confidence) filter (r.round = s.first_round) as first,
               max(r.confidence) filter (r.round = s.last_round) as last, last - first as rise,
               arg_min(r.confidence, r.step) as earliest, arg_max(r.confidence, r.step) as latest
        from rated_turns r left join spans s using (study, arm)
        group by r.study, r.arm, r.episode, r.subject, r.seat
        """,
        {
            "seat": "proposition or opposition",
            "first_round": "the first round of the arm with a rating; NULL: it has none",
            "last_round": "the last round of the arm with a rating",
            "first": "its rating in the first round, in [0, 1]; NULL: missing",
            "last": "its rating in the last round, in [0, 1]; NULL: missing",
            "rise": "last minus first; NULL where one is missing",
            "earliest": "its first rating that could be read, in whatever round",
            "latest": "its last rating that could be read, in whatever round",
        },
    ),
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
