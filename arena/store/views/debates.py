"""Views of debates: who debated, how sure they were, and who won.

Each question has one view that answers it, debate by debate or turn by turn, and every count and
mean reads that one: `debates` (who sat where), `ratings` (how sure a debater was),
`side_confidence` (how sure both sides were), `first_and_last` (how far a debater rose), `outcomes`
(who won, from the judges' verdicts), `debaters` (the result of each side) and `juries` (who
judged).

A debate is a finished episode with the seats proposition and opposition, whatever its protocol.
"""

from __future__ import annotations

from arena.store.views.base import View

# Words stand between spaces and line breaks; splitting at a regular expression would take a
# hundred times as long.
WORDS = (
    "len(list_filter(string_split(translate(t.public, chr(9) || chr(10) || chr(13), '   '), ' '),"
    " lambda w: w <> ''))"
)
# A phase as reports call it; `everywhere` are the turns of an arm in phases of the same name.
LABEL = (
    "name || if(min(round) over everywhere < max(round) over everywhere, ', round ' || round, '')"
)
LABEL_COMMENT = (
    "the phase as reports call it: one that comes several times in an arm has its number or its"
    " round behind it"
)
SEATED = {
    "model": "the model on this side",
    "opponent_model": "the model on the other side",
    "against_itself": "whether both sides are the same model",
}

DEBATE_VIEWS: dict[str, View] = {
    # Outcomes stay out of this view: most readers need none, and counting votes takes longer than
    # the rest.
    "debates": View(
        "One row is a finished debate: its motion, and the agents and models on both sides",
        """
        select e.study, e.arm, e.episode, e.subject, e.repeat, e.started_at,
               p.agent as proposition_agent, o.agent as opposition_agent,
               p.model as proposition_model, o.model as opposition_model,
               coalesce(p.model = o.model, false) as against_itself,
               coalesce(e.options->>'schedule', '') = 'sequential' as sequential
        from episodes e
        join seats p on p.episode = e.episode and p.seat = 'proposition'
        join seats o on o.episode = e.episode and o.seat = 'opposition'
        where e.status = 'done'
        """,
        {
            "repeat": "0 for the first play; NULL for imported debates",
            "started_at": "UTC; for imports from the file's name, its zone unknown",
            "proposition_agent": "the agent on the proposition's side",
            "opposition_agent": "the agent on the opposition's side",
            "proposition_model": "the model of the proposition",
            "opposition_model": "the model of the opposition",
            "against_itself": "whether both sides are the same model",
            "sequential": "whether the opposition hears the proposition's speech of the same round",
        },
    ),
    # `label` takes two window functions; DuckDB leaves them out of a query that does not read it,
    # and the partitions begin with study and arm so that a filter by these still reaches the scan.
    "ratings": View(
        "One row is a debater's turn: its rating, or why it has none, and which model spoke",
        f"""
        with numbered as (
            select d.study, d.arm, d.episode, d.subject, d.repeat, t.seat,
                   case t.seat when 'proposition' then d.proposition_model
                        else d.opposition_model end as model,
                   case t.seat when 'proposition' then d.opposition_model
                        else d.proposition_model end as opponent_model,
                   d.against_itself, d.started_at::date as day, d.sequential, t.step, t.round,
                   t.phase, t.confidence, t.confidence_status,
                   t.confidence_status <> 'not asked' as asked,
                   asked and t.confidence is null as missing,
                   coalesce(len(t.flags), 0) > 0 as flagged, t.rating_public, t.model_served,
                   t.asks, {WORDS} as words, t.request_hash is not null as played_here,
                   row_number() over same as number,
                   t.phase || if(number > 1, ' #' || number, '') as name
            from turns t join debates d using (episode)
            where t.seat in ('proposition', 'opposition')
            window same as (
                partition by d.study, d.arm, t.episode, t.seat, t.round, t.phase,
                             t.confidence_status <> 'not asked'
                order by t.step))
        select * exclude (number, name), {LABEL} as label
        from numbered window everywhere as (partition by study, arm, asked, name)
        """,
        SEATED
        | {
            "seat": "proposition or opposition",
            "day": "the day on which the debate began, UTC; for imports from the file's name",
            "sequential": "whether the opposition hears the proposition's speech of the same round",
            "asked": "whether a rating was asked for",
            "missing": "whether a rating was asked for and could not be read",
            "flagged": "whether the turn carries a doubt in words",
            "words": "words between blanks in what others may read; NULL: no readable speech",
            "played_here": "whether a request is on record; false for imports",
            "label": LABEL_COMMENT,
        },
    ),
    "confidence_by_round": View(
        "Stated confidence of debaters by study, arm and phase",
        """
        select study, arm, round, phase, count(confidence) as n,
               round(avg(confidence), 12) as mean, round(stddev_samp(confidence), 12) as sd,
               count(*) filter (missing) as missing
        from ratings group by study, arm, round, phase order by all
        """,
        {
            "n": "ratings",
            "mean": "in [0, 1]",
            "sd": "sample standard deviation",
            "missing": "ratings that were asked for and could not be read",
        },
    ),
    # A phase may come twice in a round: the first rating of the one side then meets the first of
    # the other, and the second the second.
    "side_confidence": View(
        "One row is a phase of a debate with the ratings of both sides",
        f"""
        with sides as (
            select study, arm, episode, subject, round, phase,
                   max(if(seat = 'proposition', model, opponent_model)) as proposition_model,
                   max(if(seat = 'opposition', model, opponent_model)) as opposition_model,
                   list_sort(list({{'step': step, 'rating': confidence}})
                             filter (seat = 'proposition')) as first,
                   list_sort(list({{'step': step, 'rating': confidence}})
                             filter (seat = 'opposition')) as second
            from ratings where asked group by study, arm, episode, subject, round, phase),
        pairs as (
            select * exclude (first, second), unnest(first).rating as proposition,
                   unnest(second).rating as opposition,
                   unnest(range(1, greatest(len(first), len(second)) + 1)) as number
            from sides)
        select * exclude (number, name),
               round(proposition + opposition - 1, 12) as excess,
               if(excess is null, null, least(proposition, opposition)) as lower,
               {LABEL} as label
        from (select *, phase || if(number > 1, ' #' || number, '') as name from pairs)
        window everywhere as (partition by study, arm, name)
        order by study, arm, episode, round
        """,
        {
            "proposition_model": "the model of the proposition",
            "opposition_model": "the model of the opposition",
            "proposition": "the proposition's rating, in [0, 1]; NULL: missing",
            "opposition": "the opposition's rating, in [0, 1]; NULL: missing",
            "excess": "the sum of both minus 1: above 0, both cannot be right; NULL where one is"
            " missing",
            "lower": "the lower of the two: both sides are at least as sure; NULL where one is"
            " missing",
            "label": LABEL_COMMENT,
        },
    ),
    "both_sides": View(
        "In how many debates both sides were sure of winning, by study, arm and phase",
        """
        select study, arm, round, phase, count(*) as debates,
               count(*) filter (lower >= 0.75) as at_least_75,
               count(*) filter (lower > 0.75) as above_75,
               count(*) filter (lower > 0.5) as above_50
        from side_confidence where lower is not null
        group by study, arm, round, phase order by all
        """,
        {
            "debates": "debates with a rating from both sides",
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
            from ratings where confidence is not null group by study, arm)
        select r.study, r.arm, r.episode, r.subject, r.seat, any_value(r.model) as model,
               any_value(r.opponent_model) as opponent_model,
               any_value(r.against_itself) as against_itself,
               any_value(s.first_round) as first_round, any_value(s.last_round) as last_round,
               max(r.confidence) filter (r.round = s.first_round) as first,
               max(r.confidence) filter (r.round = s.last_round) as last,
               last - first as rise,
               arg_min(r.confidence, r.step) as earliest, arg_max(r.confidence, r.step) as latest
        from ratings r left join spans s using (study, arm)
        group by r.study, r.arm, r.episode, r.subject, r.seat
        """,
        SEATED
        | {
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
    # Sums of the same numbers in another order differ in their last digits: they are rounded.
    "outcomes": View(
        "One row is a judged debate: its votes, and the winner by majority and by the sum of the"
        " judges' confidences",
        """
        with votes as (
            select d.study, t.debate,
                   count(*) filter (t.winner = 'proposition') as votes_proposition,
                   count(*) filter (t.winner = 'opposition') as votes_opposition,
                   count(*) filter (t.winner = 'abstain') as abstained,
                   count(*) filter (t.winner is null) as missing,
                   coalesce(sum(t.confidence) filter (t.winner = 'proposition'), 0)
                       as sum_proposition,
                   coalesce(sum(t.confidence) filter (t.winner = 'opposition'), 0)
                       as sum_opposition,
                   count(*) filter (t.winner in ('proposition', 'opposition')
                                    and t.confidence is null) as without_confidence
            from verdicts t join episodes d on d.episode = t.debate and d.status = 'done'
            group by all),
        leads as (
            select *, votes_proposition - votes_opposition as by_votes,
                   round(sum_proposition - sum_opposition, 9) as by_sum,
                   votes_proposition + votes_opposition > 0 as voted
            from votes)
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
            "abstained": "verdicts that name no side",
            "sum_proposition": "sum of the confidences of the votes for the proposition",
            "sum_opposition": "sum of the confidences of the votes for the opposition",
            "missing": "verdicts that could not be read, or failed",
            "majority": "winner by votes, or tie; NULL without a vote",
            "without_confidence": "votes whose confidence could not be read",
            "confidence_sum": "winner by the larger sum of confidences, or tie; NULL without a"
            " vote, or where a vote has no confidence",
        },
    ),
    # Ratings stay out of this view, so that who won need not read turns.
    "debaters": View(
        "One row is a side of a debate: which model held it, against which, and how it ended",
        """
        select d.study, d.arm, d.episode, d.subject, d.repeat, side.seat,
               if(side.first, d.proposition_agent, d.opposition_agent) as agent,
               if(side.first, d.proposition_model, d.opposition_model) as model,
               if(side.first, d.opposition_model, d.proposition_model) as opponent_model,
               d.against_itself,
               case when o.confidence_sum = side.seat then 1.0
                    when o.confidence_sum = 'tie' then 0.5
                    when o.confidence_sum is not null then 0.0 end::double as result
        from debates d
        cross join (values ('proposition', true), ('opposition', false)) side(seat, first)
        left join outcomes o on o.debate = d.episode
        """,
        SEATED
        | {
            "seat": "proposition or opposition",
            "result": "1 where the side won by the sum of the judges' confidences, 0 where it lost,"
            " 0.5 for a tie; NULL: not decided",
        },
    ),
    "leaderboard": View(
        "Wins by model over judged debates, by the sum of the judges' confidences; a tie is half a"
        " win",
        """
        select study, model, count(*) as debates, sum(result) as wins, wins / count(*) as win_rate
        from debaters where result is not null group by study, model
        order by study, win_rate desc
        """,
        {
            "debates": "judged debates in which it sat",
            "wins": "a tie counts one half",
            "win_rate": "in [0, 1]",
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
        with pairs as (
            select judge, debate, repeat, count(distinct winner) as winners
            from verdicts where winner in ('proposition', 'opposition')
            group by judge, debate, repeat having count(distinct seat_order) = 2)
        select judge, count(*) as pairs, count(*) filter (winners = 2) as flips,
               flips / count(*) as flip_rate
        from pairs group by judge order by all
        """,
        {
            "pairs": "debates that the judge decided in both orders",
            "flips": "of these, with another winner in the other order",
            "flip_rate": "flips over pairs",
        },
    ),
}
