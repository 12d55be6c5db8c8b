"""onnxsim's structured pruning on an ONNX file: simplify, prune, save.

Run it with the environment that `make peers` builds:

    build/peers/onnxsim/bin/python -m benchmarks.peers.onnxsim_prune model.onnx -o pruned.onnx [--check]

onnxsim 0.8 has no command for pruning; its Python functions are `onnxsim.apply_structured_pruning` and a C++
port, `apply_structured_pruning_cpp`. Prints one JSON object: versions, seconds by part, parameters before and
after, and with --check whether onnx.checker accepts the output and ONNX Runtime runs it (not timed).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

BEGIN = time.perf_counter()
FLOATS = frozenset({1, 10, 11, 16})  # FLOAT, FLOAT16, DOUBLE, BFLOAT16: importing onnx is timed


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("-o", "--output", type=Path, required=True, help="where the pruned ONNX file goes")
    parser.add_argument(
        "--ratio", type=float, default=0.5, help="fraction of each chain's channels to remove"
    )
    parser.add_argument("--heads", action="store_true", help="remove attention heads as well")
    parser.add_argument("--cpp", action="store_true", help="use the C++ port")
    parser.add_argument("--no-simplify", action="store_true", help="prune the file as it is")
    parser.add_argument("--check", action="store_true", help="check and run what was written")
    return parser.parse_args(arguments)


def parameters(model: Any) -> int:
    """Elements of all floating-point initializers."""
    return sum(math.prod(t.dims) for t in model.graph.initializer if t.data_type in FLOATS)


def check(path: Path) -> dict[str, str]:
    """Whether onnx.checker passes the file and ONNX Runtime runs it: "yes", or "no" and why."""
    from benchmarks import judge

    model = judge.read(path)
    return {"checker": judge.valid(model), "runs": judge.runs(model, judge.feeds(model))}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prune one file; what happened goes to standard output as JSON."""
    options = _options(arguments)
    marks = [("begin", BEGIN)]

    def mark(part: str) -> None:
        marks.append((part, time.perf_counter()))

    onnx: Any = import_module("onnx")
    onnxsim: Any = import_module("onnxsim")
    mark("import")
    model = onnx.load(options.model)
    before = parameters(model)
    mark("load")
    if not options.no_simplify:
        model, _ = onnxsim.simplify(model)
    simplified = parameters(model)
    mark("simplify")
    prune = onnxsim.apply_structured_pruning_cpp if options.cpp else onnxsim.apply_structured_pruning
    model = prune(model, options.ratio)
    if options.heads:
        model = onnxsim.apply_attention_head_pruning(model, options.ratio)
    after = parameters(model)
    mark("prune")
    onnx.save(model, options.output)
    mark("save")
    seconds = {part: end - begin for (_, begin), (part, end) in pairwise(marks)}
    report: dict[str, Any] = {
        "peer": "onnxsim",
        "versions": {name: version(name) for name in ("onnxsim", "onnx", "onnxruntime")},
        "function": prune.__name__,
        "seconds": {part: round(value, 3) for part, value in seconds.items()},
        "total": round(marks[-1][1] - BEGIN, 3),
        "parameters": {
            "before": before,
            "simplified": simplified,
            "after": after,
            "remaining": round(after / before, 4) if before else None,
        },
        "bytes": options.output.stat().st_size,
    }
    if options.check:
        report["check"] = check(options.output)
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
