"""Fetch what the tests of the gate's outputs compare with: `python -m tests.gate.prepare`.

GitHub's toolkit, which goes to `build/gate/`, writes the workflow commands that GitHub's runner reads. Where
npm or its index cannot be reached, the test that runs it skips, and says so.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSION = "3.0.1"
FOLDER = ROOT / "build" / "gate" / f"actions-core-{VERSION}"
TOOLKIT = FOLDER / "package" / "lib" / "command.js"
"""The part of @actions/core that writes commands; it needs no other package."""
PATIENCE = 30


def fetch() -> str:
    """Fetch the toolkit where it is not there; return what went wrong, empty where nothing did."""
    if TOOLKIT.exists():
        return ""
    npm = shutil.which("npm")
    if npm is None:
        return "there is no npm"
    with tempfile.TemporaryDirectory() as room:
        pack = [npm, "pack", "--silent", "--pack-destination", room, f"@actions/core@{VERSION}"]
        try:
            run = subprocess.run(
                pack, cwd=room, capture_output=True, text=True, check=False, timeout=PATIENCE
            )
        except subprocess.TimeoutExpired:
            return "npm has not answered"
        if run.returncode:
            return (run.stderr.strip().splitlines() or [f"npm ended with {run.returncode}"])[-1]
        with tarfile.open(next(Path(room).glob("*.tgz"))) as archive:
            archive.extractall(FOLDER, filter="data")
    return ""


if __name__ == "__main__":
    complaint = fetch()
    if complaint:
        print(f"gate: {complaint}; the test that needs GitHub's toolkit skips", flush=True)
