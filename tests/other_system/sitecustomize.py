"""Make this Python behave, towards the four packages alone, as one without POSIX would.

Set PYTHONPATH to the folder of this file: then the modules and functions that Windows lacks are
hidden from our packages in the process and in all that it starts (other packages keep them, since
they would look for Windows' own), files that are open can be neither replaced nor removed, and
names of files that Windows refuses are refused.
"""

from __future__ import annotations

import builtins
import errno
import os
import pathlib
import signal
import stat
import sys
import tempfile
import types
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ("agents", "analysis", "arena", "protocols")
MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "termios", "tty"}
OF_OS = """
    fork forkpty getegid geteuid getgid getpgid getuid killpg mkfifo nice register_at_fork
    sched_getaffinity sched_setaffinity setsid statvfs uname
"""
OF_SIGNAL = [
    name
    for name in dir(signal)
    if name.startswith(("SIG", "ITIMER", "pthread", "sigtimed"))
    and name not in ("SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM", "SIG_DFL")
    and name not in ("SIG_IGN", "Signals")
] + ["alarm", "setitimer", "getitimer", "pause", "siginterrupt", "sigpending", "sigwait"]
REFUSED_CHARACTERS = set('<>:"|?*')


def is_ours(file: str | None) -> bool:
    """Whether a source file is one of the four packages, here or installed."""
    parts = pathlib.PurePath(file or "").parts
    return any(
        parts[place] in PACKAGES
        and (place == 0 or parts[place - 1] in (ROOT.name, "site-packages"))
        for place in range(len(parts))
    )


def without(module: types.ModuleType, names: list[str]) -> types.ModuleType:
    """A copy of a module that lacks some names."""
    copy = types.ModuleType(module.__name__)
    copy.__dict__.update({name: value for name, value in vars(module).items() if name not in names})
    return copy


def open_no_folder(path: Any, *arguments: Any, **named: Any) -> int:
    """Open a file as os.open, but no folder."""
    if os.path.isdir(path):
        raise PermissionError(errno.EACCES, "Permission denied", path)
    return os.open(path, *arguments, **named)


def kill(pid: int, number: int) -> None:
    """End a process, whatever the signal: there are no others."""
    assert number != 0, f"to look for process {pid} like this would end it"
    os.kill(pid, number)


WINDOWS_OS = without(os, OF_OS.split())
vars(WINDOWS_OS).update(name="nt", open=open_no_folder, kill=kill)
COPIES = {"os": WINDOWS_OS, "signal": without(signal, OF_SIGNAL)}
import_module = builtins.__import__


def import_as_there(
    name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
) -> types.ModuleType:
    """Import a module, as our packages would find it on such a system."""
    if level == 0 and is_ours((globals or {}).get("__file__")):
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name in COPIES:
            return COPIES[name]
    return import_module(name, globals, locals, fromlist, level)


def called_by_us() -> bool:
    """Whether one of our packages called the function that is about to act, through pathlib say."""
    frame = sys._getframe(2)
    for _ in range(4):
        if frame is None:
            return False
        if is_ours(frame.f_code.co_filename):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def is_open(path: Any) -> bool:
    """Whether this process has a file open."""
    try:
        wanted = os.stat(path)
    except OSError:
        return False
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            found = os.stat(f"/proc/self/fd/{descriptor}")
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode) and os.path.samestat(wanted, found):
            return True
    return False


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what Windows refuses: an audit hook."""
    if event == "os.rename":
        paths = [path for path in arguments[:2] if isinstance(path, str | os.PathLike)]
    elif event == "os.remove" and arguments[1] in (None, -1):
        paths = list(arguments[:1])
    elif event in ("open", "os.mkdir") and isinstance(arguments[0], str | os.PathLike):
        name = os.path.basename(os.fspath(arguments[0]))
        writes = event == "os.mkdir" or bool(arguments[2] & os.O_CREAT)
        bad = isinstance(name, str) and (
            REFUSED_CHARACTERS & set(name) or name.endswith((".", " "))
        )
        if writes and bad and called_by_us():
            raise OSError(errno.EINVAL, "Invalid argument", name)
        return
    else:
        return
    if called_by_us():
        for path in paths:
            if is_open(path):
                raise PermissionError(errno.EACCES, "the file is open", path)


rename = pathlib.Path.rename


def rename_to_new_name(self: pathlib.Path, target: Any) -> Any:
    """Rename as Path.rename, but replace nothing."""
    if os.path.lexists(target) and is_ours(sys._getframe(1).f_code.co_filename):
        raise FileExistsError(errno.EEXIST, "File exists", str(target))
    return rename(self, target)


# Both kinds of system look for the temporary folders of dead processes, by locks of their own kind:
# here they would take each other's living ones for dead.
TEMPORARY = pathlib.Path(tempfile.gettempdir())
if TEMPORARY.name != "other-system":
    (TEMPORARY / "other-system").mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(TEMPORARY / "other-system")
    tempfile.tempdir = None
pathlib.Path.rename = rename_to_new_name  # type: ignore[method-assign]
builtins.__import__ = import_as_there
sys.addaudithook(refuse)
