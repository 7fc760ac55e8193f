"""Find the browser that the viewer is tested with, or install it: `python -m tests.chromium`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """The path of a Chromium: the system's, or Playwright's own download; None without one."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def install() -> None:
    """Debian's package where we are root and there is apt, Playwright's own download elsewhere."""
    if os.name == "posix" and os.geteuid() == 0 and shutil.which("apt-get"):
        command = ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]
        if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
            subprocess.run(["apt-get", "update"], stdout=subprocess.DEVNULL, check=True)
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


def main() -> int:
    """Say which browser the tests take; install one where there is none."""
    if chromium() is None:
        print("no Chromium found; installing one (100 MB)", flush=True)
        try:
            install()
        except (OSError, subprocess.CalledProcessError) as error:
            print(
                f"{error}\nno Chromium here: install the package chromium, or run `playwright"
                " install chromium`",
                file=sys.stderr,
            )
            return 1
    found = chromium()
    print(f"the viewer is tested with {found}")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
