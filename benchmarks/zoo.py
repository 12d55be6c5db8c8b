"""Prune every graph of a folder of exported architectures and prove each result.

    python -m benchmarks.zoo [--ratio 0.5] [--match GLOB] [--stride N] [--workers 1] [--no-write]

The folder is named by GRAPHPRUNE_ZOO (see `benchmarks.graphs`). Each graph is loaded, grouped, scored by
group-wise l2, cut at the ratio with every kind of group, and compared with its masked twin on the folder's
own inputs. The exit status is 1 where the tool crashed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
import traceback
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from benchmarks.graphs import load, loader
from benchmarks.results import table, write

UNTOUCHED = 0.995
"""Models that keep a larger share of their parameters do not count as reduced."""


def prune_one(name: str, ratio: float) -> dict[str, Any]:
    """Prune one graph and return what came of it; a refusal is a result, not an error."""
    from graphprune.cost import cost
    from graphprune.cut import cut
    from graphprune.errors import GraphpruneError
    from graphprune.fold import fold
    from graphprune.importance import score
    from graphprune.model import from_proto
    from graphprune.select import Choice, select
    from graphprune.solve import solve
    from graphprune.verify import verify

    result: dict[str, Any] = {"name": name, "status": "error"}
    started = time.perf_counter()
    try:
        model = fold(from_proto(load(name)))
        before = time.perf_counter()
        solution = solve(model.graph)
        result |= {"nodes": len(model.graph.nodes), "solve_s": round(time.perf_counter() - before, 4)}
        plan = select(solution, score(solution).values, Choice(ratio=ratio))
        whole, rest = cost(solution), cost(solution, plan)
        result |= {
            "groups": sum(group.prunable for group in solution.groups),
            "params": [whole.params, rest.params],
            "macs": [whole.macs, rest.macs],
        }
        small = cut(model, solution, plan)
        proof = verify(model, small, solution.shapes, feeds=[loader().inputs(name, 0)])
        result |= {
            "status": "exact" if proof.passed else "withheld",
            "error_l2": max(check.error for check in proof.checks),
        }
    except GraphpruneError as refusal:
        result |= {"status": "refused", "why": str(refusal)}
    except Exception as error:  # noqa: BLE001 - a crash is a finding, and the sweep goes on
        why = f"{type(error).__name__}: {error}"
        result |= {"status": "error", "why": why, "trace": traceback.format_exc()}
    result["seconds"] = round(time.perf_counter() - started, 3)
    return result


def sweep(names: list[str], ratio: float, workers: int) -> Iterator[dict[str, Any]]:
    """Yield the results in order; processes are renewed now and then to give memory back."""
    with multiprocessing.get_context("spawn").Pool(workers, maxtasksperchild=20) as pool:
        yield from pool.imap(partial(prune_one, ratio=ratio), names)


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of a sweep; a model that failed the proof is withheld, never emitted."""
    exact = [result for result in results if result["status"] == "exact"]
    shares = [result["params"][1] / result["params"][0] for result in exact]
    reduced = [share for share in shares if share < UNTOUCHED]
    errors = [result["error_l2"] for result in exact]
    by_status = {
        status: [result["name"] for result in results if result["status"] == status]
        for status in ("withheld", "refused", "error")
    }
    return {
        "graphs": len(results),
        "emitted, valid, exact": len(exact),
        "share": round(len(exact) / max(len(results), 1), 4),
        **by_status,
        "reduced": len(reduced),
        "median of parameters remaining where reduced": statistics.median(reduced) if reduced else None,
        "median relative L2": statistics.median(errors) if errors else None,
        "worst relative L2": max(errors, default=None),
        "seconds": round(sum(result["seconds"] for result in results)),
    }


def main() -> None:
    """Run the sweep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ratio", type=float, default=0.5)
    parser.add_argument("--match", default="*")
    parser.add_argument("--stride", type=int, default=1, help="take every n-th graph")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results/ alone")
    options = parser.parse_args()
    names = [entry["name"] for entry in loader().entries() if fnmatchcase(entry["name"], options.match)]
    results: list[dict[str, Any]] = []
    for result in sweep(names[:: options.stride], options.ratio, options.workers):
        results.append(result)
        share = result["params"][1] / result["params"][0] if "params" in result else float("nan")
        print(
            f"{result['status']:9s} {result['name']:50s} params {share:6.1%} "
            f"l2 {result.get('error_l2', float('nan')):.1e} {result.get('seconds', 0):5.1f} s "
            f"{result.get('why', '')[:160]}",
            flush=True,
        )
    figures = summary(results)
    print(table(["figure", "value"], [[name, value] for name, value in figures.items()]))
    if not options.no_write:
        write("zoo", {"ratio": options.ratio, "figures": figures, "graphs": results})
    sys.exit(bool(figures["error"]))


if __name__ == "__main__":
    main()
