"""The command line that the scripts share which export models with other people's packages."""

from __future__ import annotations

import argparse
import json
import logging
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any


def run(
    description: str | None,
    known: Sequence[str],
    export: Callable[[str, Path], dict[str, Any]],
    packages: Sequence[str],
    arguments: Sequence[str] | None = None,
) -> int:
    """Export what is named, one after the other; print one JSON object each. 1 where one could not be.

    Args:
        description: what the script does.
        known: the names of what it can export; all by default.
        export: exports one to a folder, and returns what was written.
        packages: whose versions are told first.
        arguments: the words of the command line; those of the process by default.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="all by default")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder for the files")
    parser.add_argument("--list", action="store_true", help="print the names and leave")
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(known))
        return 0
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    options.output.mkdir(parents=True, exist_ok=True)
    print(json.dumps({"versions": {name: version(name) for name in packages}}), flush=True)
    failed = 0
    for name in options.names or known:
        try:
            print(json.dumps(export(name, options.output)), flush=True)
        except Exception as error:  # noqa: BLE001 - an exporter fails in many ways, and the others go on
            failed += 1
            print(json.dumps({"name": name, "failed": f"{type(error).__name__}: {error}"[:300]}), flush=True)
    return int(failed > 0)
