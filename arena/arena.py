"""The Arena that users hold: it plays studies into a store, and shows what came of them.

Playing and SQL are of `arena.play.run`; here stand what needs `analysis`, which knows nothing of
playing and is loaded when it is first asked for.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from arena.errors import StudyError
from arena.play import run
from arena.play.reread import RereadSummary, Watch, reread
from arena.play.stored_plays import Sources
from arena.store.connection import show_leftovers
from arena.store.database import select_rows
from arena.studies.study import Protocol, Study, protocol_name
from arena.tournaments.stored_debates import stored_debates
from arena.tournaments.stored_thoughts import stored_thoughts
from arena.types import Subject
from protocols import named

if TYPE_CHECKING:
    from analysis.figures.figure import Figure
    from analysis.read.selection import By
    from analysis.reports.ballots import VoteStandings
    from analysis.reports.debates import StudyReport
    from analysis.reports.report import Report
    from analysis.reports.standings import Standings

STUDIES = "select study from studies order by created_at, study"


class Arena(run.Arena):
    """A store, the means to play studies into it, and what came of them.

    `run` and `play` play, `sql` asks the record, and `report`, `rank` and `figure` give what the
    commands print and draw.  `arena.play.run.Arena` says what each parameter means.
    """

    def __repr__(self) -> str:
        return f"<Arena {str(self.path)!r}>"

    def report(
        self,
        study: Study | str | None = None,
        *,
        by: By = "agent",
        models: Sequence[str] = (),
        arms: Sequence[str] = (),
        where: str = "",
        leftovers: bool = False,
        margin: float = 0.05,
        mixed: bool = False,
        sample: int | None = None,
        details: bool = False,
    ) -> Report[StudyReport]:
        """Return what `arena report` prints: how sure the debaters were, and how right.

            arena.report("panel").results[0].debates.phases

        Of one study, or of all in the store.  The report shows itself as tables; its `results` are
        the numbers, in [0, 1], `json()` those of `arena report --json`.  A mean within `margin` of
        50% counts as 50%; `mixed` fits the mixed-effects model too, on a `sample` of debates;
        `details` gives the tables by contestant, which the command's --json always has.

        `by` says who counts as one contestant: "agent", "model" or "setting".  `models` (names of
        models, agents or contestants), `arms`, and `where`, a condition in SQL on the columns of
        the view episodes, choose episodes; with `leftovers` those count too that the study's last
        plan does not hold.  Raises StudyError for an unknown study or name.
        """
        from analysis.read.selection import Selection
        from analysis.reports.report import debate_report

        return debate_report(
            self.path,
            name_of(study),
            margin=margin,
            mixed=mixed,
            sample=sample,
            details=details,
            selection=Selection(by, names(models), names(arms), where, leftovers),
        )

    def rank(
        self,
        study: Study | str | None = None,
        *,
        jury: str | None = None,
        exclude_related: bool = False,
        by: By = "agent",
        models: Sequence[str] = (),
        arms: Sequence[str] = (),
        where: str = "",
        leftovers: bool = False,
    ) -> Report[Standings | VoteStandings]:
        """Return what `arena rank` prints: who won a tournament, and what its judges favour.

        Of one judged study, or of all in the store; by the verdicts of the study `jury` alone, if
        it is named.  With `exclude_related` judges do not decide debates in which they, or a model
        of their family, took part.  Contestants and debates are chosen as in `report`.
        Raises StudyError for a study without verdicts.
        """
        from analysis.read.selection import Selection
        from analysis.reports.report import rank_report

        return rank_report(
            self.path,
            name_of(study),
            jury=jury,
            exclude_related=exclude_related,
            selection=Selection(by, names(models), names(arms), where, leftovers),
        )

    def figure(self, name: str, study: Study | str | None = None) -> Figure:
        """Return one figure of a study: `figure("confidence")`; a wrong name lists all names.

        It shows itself as a picture with its caption.  `chart` is its Vega-Lite (for altair:
        `alt.Chart.from_dict(figure.chart)`), `rows` are its numbers, `sql` the query behind them;
        `svg()` and `png()` are for files.  The study may be left out where the store holds one.
        Raises StudyError if study or name is unknown, or there is nothing to draw.
        """
        from analysis.figures.registry import figure

        return figure(self.path, name_of(study) or self._only_study(), name)

    def reread(
        self,
        study: Study | str | None = None,
        *,
        studies: Sequence[Study] = (),
        watch: Watch | None = None,
    ) -> RereadSummary:
        """Read stored replies with today's readers and grading, as `arena reread` does.

        Of one study, or of all in the store; no model is asked.  Turns stay as they were played,
        and replays go by them; reports and views go by the latest reading.  A protocol that no
        package has, and a grader of a study's own, are found in `study` or in `studies`.
        `watch` is called with the number of turns that were read so far.  Raises StudyError for an
        unknown study.
        """
        given = (*studies, *([study] if isinstance(study, Study) else []))
        sources = sources_of(self.path, given)
        return reread(self.path, name_of(study), sources, watch=watch)

    def _only_study(self) -> str:
        """Return the name of the only study.  Raises StudyError if there are several, or none."""
        names = [name for (name,) in select_rows(self.path, STUDIES).rows]
        if len(names) == 1:
            return str(names[0])
        found = ", ".join(map(repr, names)) or "none"
        raise StudyError(f"name the study of the figure; in {self.path} there are: {found}")


def sources_of(path: Path, studies: Sequence[Study]) -> Sources:
    """Return where rereading finds protocols, graders and debates: first in these studies."""
    arms = [(study.name, arm.protocol) for study in studies for arm in study.arms]
    found = {(study, protocol_name(protocol)): protocol for study, protocol in arms}
    subjects: dict[tuple[str, bool], dict[str | None, Subject]] = {}
    # A debate that is judged is an episode, thoughts that are labelled are EPISODE/SEAT/STEP.
    judged = (
        "select episode, study from plays"
        " where episode in (select split_part(source, '/', 1) from subjects)"
    )
    studies_of = dict(select_rows(path, judged).rows)

    def protocol_of(study: str, name: str) -> Protocol:
        if (study, name) in found:
            return found[study, name]
        try:
            return found.setdefault((study, name), named(name))
        except StudyError as error:
            raise StudyError(
                f"the protocol {name} of study {study!r} is in no installed package; name the"
                f" study's file: arena reread STUDY.py --study {shlex.quote(study)}"
            ) from error

    def subject_of(source: str) -> Subject | None:
        episode, _, turn = source.partition("/")
        if episode not in studies_of:
            return None
        kind = studies_of[episode], bool(turn)
        if kind not in subjects:
            # A debate that the last plan leaves out was judged all the same.
            with show_leftovers():
                stored = (stored_thoughts if turn else stored_debates)(path, kind[0])
            subjects[kind] = {subject.source: subject for subject in stored}
        return subjects[kind].get(source)

    graders = {study.name: study.grader for study in studies if study.grader is not None}
    return Sources(protocol_of, subject_of, graders)


def names(given: Sequence[str]) -> tuple[str, ...]:
    """Return names that are given in a sequence, or one that is given alone."""
    return (given,) if isinstance(given, str) else tuple(given)


def name_of(study: Study | str | None) -> str | None:
    """Return the name of a study that is given as it is or by name."""
    return study.name if isinstance(study, Study) else study
