"""Fetch Model Explorer and its adapter of ONNX: `python -m tests.graph_view.prepare`.

They go to `build/model-explorer/`, without what they do not need to read ONNX models (the readers of
TensorFlow models take half a gigabyte). Where no package index can be reached, the tests that need them
skip, and say so.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "model-explorer" / f"python{sys.version_info.major}.{sys.version_info.minor}"
PINNED = ("ai-edge-model-explorer==0.1.34", "model-explorer-onnx==0.4.2", "onnx-ir==1.1.0", "dacite==1.9.2")
NEEDED = (
    "blinker",
    "certifi",
    "charset-normalizer",
    "flask",
    "idna",
    "itsdangerous",
    "jinja2",
    "markupsafe",
    "mpmath",
    "packaging",
    "portpicker",
    "psutil",
    "requests",
    "sympy",
    "termcolor",
    "urllib3",
    "watchdog",
    "werkzeug",
)
"""What they import beside what graphprune itself needs."""


def is_ready() -> bool:
    """Whether the folder has been filled."""
    return (FOLDER / ".installed").exists()


def main() -> None:
    """Fetch what is missing; that nothing is to be had is no error."""
    if is_ready():
        return
    print("model-explorer: fetching it", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    options = ["--no-deps", "--no-build-isolation", "--upgrade", "--target", str(FOLDER)]
    run = subprocess.run([*pip, *options, *PINNED, *NEEDED], capture_output=True, text=True, check=False)
    if run.returncode:
        complaints = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
        print(f"model-explorer: {complaints[-1] if complaints else 'pip failed'}; its tests skip", flush=True)
        return
    (FOLDER / ".installed").touch()


if __name__ == "__main__":
    main()
