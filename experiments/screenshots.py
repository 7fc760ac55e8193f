"""Take the pictures of docs/viewer.md: play the demonstration and click through the viewer.

    python experiments/screenshots.py        writes experiments/screenshots/*.png

Needs the extras `view` and `test`, and a Chromium.  The demonstration is simulated, and every
picture is marked so.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

FOLDER = Path(__file__).with_name("screenshots")
SIZE: ViewportSize = {"width": 1120, "height": 760}


def take(page: Page, address: str) -> None:
    """Take pictures from the first page to the debate that drives the finding, in three clicks."""
    page.goto(address)
    page.get_by_role("link", name="demo", exact=True).click()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / "study.png")
    page.get_by_role("link", name="Confidence by phase", exact=True).click()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / "figure.png")
    page.go_back()
    page.get_by_role("region", name="List").get_by_role("link").first.click()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / "debate.png")


def main() -> None:
    """Play the demonstration, serve it, take the pictures, and stop the viewer."""
    FOLDER.mkdir(exist_ok=True)
    arena = [sys.executable, "-m", "arena"]
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "demo.duckdb"
        subprocess.run([*arena, "demo", "--db", str(db)], check=True, stdout=subprocess.DEVNULL)
        viewer = subprocess.Popen(
            [*arena, "view", "--db", str(db), "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert viewer.stdout is not None
            # The viewer prints the address, with its access code, on its second line.
            address = [viewer.stdout.readline() for _ in range(2)][1].strip()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                take(browser.new_page(viewport=SIZE), address)
                browser.close()
        finally:
            viewer.terminate()
            viewer.wait(10)
    for file in sorted(FOLDER.glob("*.png")):
        print(f"{file}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
