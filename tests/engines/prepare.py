"""Fetch what the tests of engines run against, into `build/engines/`: `python -m tests.engines.prepare`.

The Python bindings of TensorRT come without its libraries, which not every machine can install; they are
imported over empty ones. TensorRT-RTX comes whole, and builds engines without a GPU. Where no package index
can be reached, or nothing is there for this platform, the tests skip, and say so.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "engines" / f"python{sys.version_info.major}.{sys.version_info.minor}"
BINDINGS = ("10.12.0.36", "10.13.3.9", "10.16.1.11", "11.0.0.114", "11.4.0.106")
RTX = "1.7.1.116"
CUDA = ("12.8.0", "13.5.0")

PACKAGES: dict[str, tuple[str, ...]] = {
    "rtx": tuple(
        f"{name}=={RTX}"
        for name in ("tensorrt-rtx-cu12", "tensorrt-rtx-cu12-bindings", "tensorrt-rtx-cu12-libs")
    ),
    **{f"tensorrt-{version}": (f"tensorrt-cu12-bindings=={version}",) for version in BINDINGS},
    **{
        f"cuda-{version}": (f"cuda-bindings=={version}", "cuda-pathfinder==1.9.1", "nvidia-ml-py==13.615.71")
        for version in CUDA
    },
}
"""What is fetched, by the folder that it goes to."""


def is_ready(name: str) -> bool:
    """Whether a folder has been filled."""
    return (FOLDER / name / ".installed").exists()


def fetch(name: str) -> str:
    """Fill a folder; return what went wrong, empty where nothing did."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    options = ["--no-deps", "--no-build-isolation", "--upgrade", "--target", str(FOLDER / name)]
    run = subprocess.run([*pip, *options, *PACKAGES[name]], capture_output=True, text=True, check=False)
    if run.returncode:
        complaints = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
        return complaints[-1] if complaints else f"pip ended with {run.returncode}"
    (FOLDER / name / ".installed").touch()
    return ""


def main() -> None:
    """Fetch what is missing; stop when nothing seems to be had, which is no error."""
    failed = 0
    for name, packages in PACKAGES.items():
        if is_ready(name):
            continue
        print(f"engines: fetching {', '.join(packages)}", flush=True)
        complaint = fetch(name)
        if complaint:
            print(f"engines: {complaint}; the tests that need it skip", flush=True)
            failed += 1
        if failed > 1:
            return


if __name__ == "__main__":
    main()
