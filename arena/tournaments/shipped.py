"""Find study files: those of the user, and those that come with the package and run by name.

The wheel holds copies of the files of `experiments/`; a checkout has no copies and finds the files
themselves.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from arena.errors import StudyError
from arena.packages import PACKAGES

PACKAGE = Path(__file__).resolve().parents[1]
# The study to begin with: small, offline, and the one that the documentation shows.
FIRST = "two_llms_debate"
# What stands before the name of a study in the files that come with the package.
NAME_BEFORE = (
    r"(?:\b(?:Study|jury|score|removeprefix)\(\s*|\b(?:name|NAME) = |\belse |sql\(\w+, \[)"
)
STUDY_FUNCTION = re.compile(r"^def study\(", re.MULTILINE)


def shipped_studies() -> dict[str, Path]:
    """Return the study files that come with the package, by name."""
    copies = PACKAGE / "shipped"
    folder = copies if copies.is_dir() else PACKAGE.parent / "experiments"
    return {
        path.stem: path
        for path in sorted(folder.glob("*.py"))
        if STUDY_FUNCTION.search(path.read_text(encoding="utf-8"))
    }


def find_study(file: str | Path) -> Path:
    """Return the study file that a path or a name means.

    A file comes first, then `<name>.py` in the same folder, then the study of that name that comes
    with the package.  Raises StudyError, which lists the shipped ones, if there is none.
    """
    path = Path(file)
    named = path.with_name(f"{path.name}.py") if path.name else path
    # A file without the ending, such as an output, does not hide a study of that name.
    for candidate in (path, named) if path.suffix == ".py" else (named,):
        if candidate.is_file():
            return candidate
    shipped = shipped_studies()
    name = path.name.removesuffix(".py")
    # A folder before the name means a file of the user's, which is not replaced in silence.
    if str(file) == path.name and name in shipped:
        return shipped[name]
    near = difflib.get_close_matches(name, shipped, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise StudyError(
        f"there is no study file {path}; {hint}studies that come with the package run by name:"
        f" {', '.join(shipped) or 'none is installed'}"
    )


def copy_study(target: Path, source: str) -> None:
    """Write a shipped study to a new file, under the new file's name.

    Commands in its text, and the name under which the store keeps its episodes, follow the file's
    name.  Raises StudyError if there is no such study, the name cannot be one, the file exists, or
    it cannot be written.
    """
    name = target.stem
    if not re.fullmatch(r"[A-Za-z][\w-]*", name, re.ASCII):
        raise StudyError(f"a study's name is made of letters, digits, _ and -, found {name!r}")
    if name in PACKAGES:
        raise StudyError(f"{name} is the name of a package of peer-arena: choose another")
    shipped = shipped_studies()
    if source not in shipped:
        raise StudyError(
            f"there is no study {source!r} to copy; the package has: {', '.join(shipped)}"
        )
    text = shipped[source].read_text(encoding="utf-8")
    text = re.sub(rf"(arena run |python ){source}\b", rf"\g<1>{name}", text)
    # A name of a study, wherever one stands; the same word elsewhere may be a protocol's.
    text = re.sub(rf'({NAME_BEFORE}f?"){source}(?=[" _{{])', rf"\g<1>{name}", text)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise StudyError(f"{target} is there already, and was left as it is") from None
    except OSError as error:
        raise StudyError(f"cannot write {target}: {error.strerror}") from error
