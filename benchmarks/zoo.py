"""Prune every graph of a zoo of real architectures and prove each result.

    python benchmarks/zoo.py [--ratio 0.5] [--match GLOB] [--out results.json] [--workers 1]

The zoo is a folder named by GRAPHPRUNE_ZOO (default ../shared/zoo) with a loader `zoo.py` that offers
`entries()`, `load(name)` and `inputs(name, seed)`. Each entry is loaded, grouped, scored by group-wise l2,
cut at the ratio with every kind of group, and compared with its masked twin on the zoo's inputs.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import statistics
import sys
import time
import traceback
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent


def zoo_module() -> ModuleType:
    """Import the zoo's loader."""
    folder = Path(os.environ.get("GRAPHPRUNE_ZOO", HERE.parent.parent / "shared" / "zoo"))
    spec = importlib.util.spec_from_file_location("zoo", folder / "zoo.py")
    if spec is None or spec.loader is None or not (folder / "zoo.py").exists():
        raise SystemExit("there is no zoo here; set GRAPHPRUNE_ZOO to its folder")
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True  # the zoo may be read-only
    spec.loader.exec_module(module)
    return module


def prune_one(name: str, ratio: float, repeats: int = 1) -> dict[str, Any]:
    """Prune one entry and return what came of it; a refusal is a result, not an error."""
    from graphprune.cost import cost
    from graphprune.cut import cut
    from graphprune.errors import GraphpruneError
    from graphprune.fold import fold
    from graphprune.importance import score
    from graphprune.model import from_proto
    from graphprune.select import Choice, select
    from graphprune.solve import solve
    from graphprune.verify import verify

    zoo = zoo_module()
    result: dict[str, Any] = {"name": name, "status": "error"}
    started = time.perf_counter()
    try:
        model = fold(from_proto(zoo.load(name)))
        result["nodes"] = len(model.graph.nodes)
        before = time.perf_counter()
        solution = solve(model.graph)
        result["solve_s"] = time.perf_counter() - before
        scores = score(solution)
        plan = select(solution, scores.values, Choice(ratio=ratio))
        whole, rest = cost(solution), cost(solution, plan)
        result |= {
            "groups": sum(group.prunable for group in solution.groups),
            "pinned_rules": sorted({f"{a.site.node.op}: {a.reason}" for a in solution.nodes if a.reason}),
            "params": [whole.params, rest.params],
            "macs": [whole.macs, rest.macs],
        }
        small = cut(model, solution, plan)
        proof = verify(
            model, small, solution.shapes, feeds=[zoo.inputs(name, seed) for seed in range(repeats)]
        )
        result |= {
            "status": "exact" if proof.passed else "different",
            "error_l2": max(check.error for check in proof.checks),
            "limit": proof.worst.limit,
        }
    except GraphpruneError as refusal:
        result |= {"status": "refused", "why": str(refusal)}
    except Exception as error:  # noqa: BLE001 - a crash is a finding, and the sweep goes on
        result |= {
            "status": "error",
            "why": f"{type(error).__name__}: {error}",
            "trace": traceback.format_exc(),
        }
    result["seconds"] = time.perf_counter() - started
    return result


def _sweep(names: list[str], ratio: float, workers: int) -> Iterator[dict[str, Any]]:
    with multiprocessing.get_context("spawn").Pool(workers, maxtasksperchild=20) as pool:
        yield from pool.imap(partial(prune_one, ratio=ratio), names)


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of a sweep."""
    exact = [r for r in results if r["status"] == "exact"]
    remaining = [r["params"][1] / r["params"][0] for r in exact]
    reduced = [share for share in remaining if share < 0.995]
    errors = [r["error_l2"] for r in exact]
    return {
        "entries": len(results),
        "exact": len(exact),
        "share": len(exact) / max(len(results), 1),
        "different": [r["name"] for r in results if r["status"] == "different"],
        "refused": [r["name"] for r in results if r["status"] == "refused"],
        "errors": [r["name"] for r in results if r["status"] == "error"],
        "median_remaining_params": statistics.median(reduced) if reduced else None,
        "median_error": statistics.median(errors) if errors else None,
        "worst_error": max(errors, default=None),
        "seconds": sum(r.get("seconds", 0) for r in results),
    }


def main() -> None:
    """Run the sweep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ratio", type=float, default=0.5)
    parser.add_argument("--match", default="*")
    parser.add_argument("--stride", type=int, default=1, help="take every n-th entry")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    names = [e["name"] for e in zoo_module().entries() if fnmatchcase(e["name"], options.match)]
    results: list[dict[str, Any]] = []
    for result in _sweep(names[:: options.stride], options.ratio, options.workers):
        results.append(result)
        share = result["params"][1] / result["params"][0] if "params" in result else float("nan")
        print(
            f"{result['status']:9s} {result['name']:50s} params {share:6.1%} "
            f"l2 {result.get('error_l2', float('nan')):.1e} {result.get('seconds', 0):5.1f} s "
            f"{result.get('why', '')[:160]}",
            flush=True,
        )
    figures = summary(results)
    print(json.dumps(figures, indent=1))
    if options.out:
        options.out.write_text(json.dumps({"summary": figures, "results": results}, indent=1) + "\n")
    sys.exit(bool(figures["different"] or figures["errors"]))


if __name__ == "__main__":
    main()
