"""Every operator: what its rule lets a cut remove, checked against the operator itself in ONNX Runtime.

    python -m benchmarks.rules [OPERATOR ...] [--all]

The cases are those of the onnx package's node tests and of `tests/rules/cases`. A cut removes half of one
group's units in a shuffled order; it is right where the cut operator gives what the masked one gives.
`--all` lists the pinned operators with their reasons as well.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import onnx

from benchmarks import results
from graphprune import rules
from tests.rules.sweep import OPERATORS, Outcome, node_cases, outcome, own_cases

FOLLOWS = {"Shape": "its value follows the cut", "Size": "its value follows the cut"}


def measure(operator: str) -> dict[str, Any]:
    """Try every case of one operator."""
    outcomes = [outcome(case) for case in (*own_cases(operator), *node_cases()[operator])]
    findings = [finding for item in outcomes for finding in item.findings]
    refused = [item.refused for item in outcomes if item.refused]
    return {
        "operator": operator,
        "cases": len(outcomes),
        "refused": len(refused),
        "cuts": len(findings),
        "wrong": [problem for item in outcomes for problem in item.problems],
        "verdict": verdict(operator, outcomes),
    }


def verdict(operator: str, outcomes: Sequence[Outcome]) -> str:
    """What the cases say of an operator, in words."""
    if any(item.problems for item in outcomes):
        return "wrong"
    if any(item.findings for item in outcomes):
        return "confirmed"
    if operator in FOLLOWS:
        return FOLLOWS[operator]
    return "no kernel" if all(item.refused for item in outcomes) else "nothing to cut"


def pinned() -> list[dict[str, str]]:
    """The operators of ONNX that have no rule on purpose."""
    known = {schema.name for schema in onnx.defs.get_all_schemas_with_history() if not schema.domain}
    return [
        {"operator": operator, "reason": reason}
        for operator, reason in sorted(rules.PINNED.items())
        if operator in known
    ]


def totals(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many operators, cases and cuts there are, and how many operators are confirmed."""
    return {
        "rows": len(rows),
        "confirmed": sum(row["verdict"] == "confirmed" for row in rows),
        "wrong": sum(row["verdict"] == "wrong" for row in rows),
        "cases": sum(row["cases"] - row["refused"] for row in rows),
        "cuts": sum(row["cuts"] for row in rows),
        "pinned": len(pinned()),
    }


HEADER = ("operator", "cases", "refused by ONNX Runtime", "cuts", "verdict")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, write `results/rules.json` where all were tried; 1 where a rule is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("operators", nargs="*", metavar="OPERATOR", help="operators; all by default")
    parser.add_argument("--all", action="store_true", help="list the pinned operators, too")
    options = parser.parse_args(arguments)
    unknown = set(options.operators) - set(OPERATORS)
    if unknown:
        parser.error(f"no row for {', '.join(sorted(unknown))}")
    warnings.simplefilter("ignore", RuntimeWarning)  # onnx's own cases divide by zero now and then
    rows = [measure(operator) for operator in options.operators or OPERATORS]
    cells = [[row[key] for key in ("operator", "cases", "refused", "cuts", "verdict")] for row in rows]
    print(results.table(HEADER, cells))
    if options.all:
        print("", results.table(("pinned", "reason"), [list(row.values()) for row in pinned()]), sep="\n")
    print("", *(problem for row in rows for problem in row["wrong"]), sep="\n")
    summary = totals(rows)
    print(
        f"{summary['confirmed']} of {summary['rows']} rows confirmed by {summary['cuts']} cuts "
        f"in {summary['cases']} cases; {summary['pinned']} operators pinned on purpose"
    )
    if not options.operators:
        results.write("rules", {**summary, "operators": rows, "pinned_operators": pinned()})
    return 1 if summary["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
