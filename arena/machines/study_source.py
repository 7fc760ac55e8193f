"""Let another process load the study that this one plays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from arena.errors import StudyError
from arena.store.tempdir import scratch
from arena.studies.study import Play, Study, plays
from arena.tournaments.stages import resolve_stage, vary_options
from arena.tournaments.study_file import load_stages


@dataclass(frozen=True, slots=True)
class StudySource:
    """Where a study comes from: a file or the name of one that is shipped, and its arguments.

    `vary` are the options of its protocols that are played in turn.  `texts` holds the file and the
    Python files beside it, by name, for machines that do not have them.
    """

    file: str
    options: tuple[str, ...] = ()
    vary: tuple[str, ...] = ()
    texts: tuple[tuple[str, bytes], ...] = ()

    def packed(self) -> StudySource:
        """Return it with its texts; as it is if it is the name of a shipped study."""
        file = Path(self.file)
        if not file.is_file():
            return self
        files = sorted(file.resolve().parent.glob("*.py"))
        texts = tuple((each.name, each.read_bytes()) for each in files)
        return replace(self, file=str(file.resolve()), texts=texts)

    @contextmanager
    def unpacked(self) -> Iterator[StudySource]:
        """Yield it with a file that is there: its own, or else its text in a temporary folder."""
        file = Path(self.file)
        texts = dict(self.texts)
        if not texts or (file.is_file() and file.read_bytes() == texts[file.name]):
            yield self
            return
        with TemporaryDirectory(dir=scratch()) as folder:
            for name, text in texts.items():
                Path(folder, name).write_bytes(text)
            yield replace(self, file=str(Path(folder, file.name)))

    def load(self, name: str, store: Path, episodes: Sequence[str]) -> list[Play]:
        """Return the plays of these episodes of the study `name`, in their order.

        Stages that depend on what was played read the `store`.  Raises StudyError if the file does
        not describe them.
        """
        with self.unpacked() as here:
            stages = vary_options(load_stages(here.file, self.options), self.vary)
            for stage in stages:
                if stage.name == name:
                    with suppress(StudyError):
                        return choose_plays(resolve_stage(stage, store), episodes)
        raise StudyError(
            f"{self.file} describes other episodes of {name!r} when another process loads it: does"
            " it depend on the time, or on a random draw?"
        )


def choose_plays(study: Study, episodes: Sequence[str]) -> list[Play]:
    """Return the plays of a study with these ids, in their order; StudyError if one is missing."""
    by_id = {play.episode: play for play in plays(study)}
    if not by_id.keys() >= set(episodes):
        raise StudyError(
            f"study {study.name!r} has other episodes here than where its record is kept: give the"
            " same file and options"
        )
    return [by_id[episode] for episode in episodes]
