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
    "blinker==1.9.0",
    "certifi==2026.10.19.post1",
    "charset-normalizer==3.5.3",
    "flask==3.1.3",
    "idna==3.20",
    "itsdangerous==2.2.0",
    "jinja2==3.1.6",
    "markupsafe==3.0.4",
    "mpmath==1.4.1",
    "packaging==26.4",
    "portpicker==1.6.0",
    "psutil==7.2.2",
    "requests==2.34.2",
    "sympy==1.14.0",
    "termcolor==3.3.0",
    "urllib3==2.8.0",
    "watchdog==7.1.0",
    "werkzeug==3.1.9",
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
