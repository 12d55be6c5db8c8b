"""The gate on pretrained classifiers: dead classes that an average hides, and weights that were flipped.

    python -m benchmarks.gate_models

Dead classes: of the classifiers with ten or twelve classes, one class after another is made impossible (its
bias goes down by 1,000), and the result is judged with a budget for the average that it keeps and one for the
worst class. Flipped weights: ResNet-8 is pruned with a plan, and with data and a record of the run; then the
sign of one number is turned, and the result is judged by the plan, and by the record. Neither a device nor
labels decide: the right answer is known each time. Writes `results/gate_models.json`; the exit status is 1
where the gate missed one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from benchmarks import assets, child, results
from graphprune.gate.outcome import Finding, Outcome
from graphprune.gate.running import gate

MODELS = ("cifar10_resnet8", "kws_dscnn")
AVERAGE, WORST = "accuracy.top1.drop<=10%", "accuracy.class.min.drop<=20%"
FLIPS = 20
PRUNED = "cifar10_resnet8"


def loaded(model: Path) -> onnx.ModelProto:
    """A model as other tools read it."""
    return onnx.load(model)  # pyright: ignore[reportUnknownMemberType]


def changed(model: Path, name: str, index: tuple[int, ...], value: float, output: Path) -> None:
    """Write a copy of a model in which one number of an initializer has another value."""
    proto = loaded(model)
    for tensor in proto.graph.initializer:
        if tensor.name == name:
            values = numpy_helper.to_array(tensor).copy()
            values[index] = value
            tensor.CopyFrom(numpy_helper.from_array(values, name))
    onnx.save(proto, output)  # pyright: ignore[reportUnknownMemberType]


def biases(model: Path) -> tuple[str, np.ndarray[Any, Any]]:
    """The name and the values of the last vector of weights: one number for each class."""
    graph = loaded(model).graph
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    named = [name for node in graph.node for name in node.input if name in held and held[name].ndim == 1]
    return named[-1], held[named[-1]]


def found(outcome: Outcome, metric: str) -> Finding:
    """What came of the limit on a metric."""
    return next(finding for finding in outcome.findings if finding.assertion.metric == metric)


def dead_classes(name: str, workdir: Path) -> dict[str, Any]:
    """One class of a model after another is dead."""
    model, data = assets.model_path(name), assets.prepared(name)[1]
    bias, values = biases(model)
    rows: list[dict[str, Any]] = []
    for label in range(len(values)):
        dead = workdir / "dead.onnx"
        changed(model, bias, (label,), float(values[label]) - 1000, dead)
        outcome = gate(model, dead, [AVERAGE, WORST], data=str(data))
        average, worst = found(outcome, "accuracy.top1"), found(outcome, "accuracy.class.min")
        rows.append(
            {
                "class": label,
                "average": average.status,
                "drop": round(average.value or 0.0, 4),
                "worst": worst.status,
                "named": f"class {label}:" in worst.reason,
                "exit_code": outcome.exit_code,
            }
        )
    return {
        "classes": len(rows),
        "within the budget on average": sum(row["average"] != "fail" for row in rows),
        "failed and named": sum(row["worst"] == "fail" and row["named"] for row in rows),
        "rows": rows,
    }


def flipped(workdir: Path) -> dict[str, Any]:
    """One number of a pruned model after another has the other sign."""
    model, calib = assets.model_path(PRUNED), assets.prepared(PRUNED)[0]
    plan, record = workdir / "plan.json", workdir / "run.json"
    cut, fitted = workdir / "cut.onnx", workdir / "fitted.onnx"
    for command in (
        child.graphprune("prune", model, "-o", cut, "--ratio", "0.3", "--save-plan", plan, "-q"),
        child.graphprune("prune", model, "-o", fitted, "--data", calib, "--save-run", record, "-q"),
    ):
        done = child.run(command)
        if done.status:
            raise RuntimeError(done.complaint)
    counts: dict[str, Any] = {}
    for by, pruned, known in (("plan", cut, plan), ("run", fitted, record)):
        whole = gate(model, pruned, ["params.ratio<=1"], **{by: str(known)})
        caught = named = 0
        for seed in range(FLIPS):
            draw = np.random.default_rng(seed)
            weights: list[tuple[str, np.ndarray[Any, Any]]] = [
                (tensor.name, numpy_helper.to_array(tensor))
                for tensor in loaded(pruned).graph.initializer
                if tensor.data_type == onnx.TensorProto.FLOAT
            ]
            number: int = draw.integers(len(weights)).item()
            name, values = weights[number]
            shape: tuple[int, ...] = values.shape
            index = tuple(int(draw.integers(size)) for size in shape)
            other = workdir / "flipped.onnx"
            changed(pruned, name, index, -float(values[index]) or 1.0, other)
            outcome = gate(model, other, ["params.ratio<=1"], **{by: str(known)})
            caught += outcome.exit_code == 1
            named += name in found(outcome, "exact").reason
        counts[by] = {"as it was": whole.status, "flips": FLIPS, "caught": caught, "named": named}
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge, write the results, print what was found."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(arguments)
    with tempfile.TemporaryDirectory() as where:
        workdir = Path(where)
        dead = {name: dead_classes(name, workdir) for name in MODELS}
        flips = flipped(workdir)
    results.write("gate_models", {"dead classes": dead, "flipped weights": flips})
    for name, row in dead.items():
        print(name, {key: value for key, value in row.items() if key != "rows"})
    print(flips)
    whole = all(row["failed and named"] == row["classes"] for row in dead.values())
    return int(not (whole and all(row["caught"] == FLIPS for row in flips.values())))


if __name__ == "__main__":
    sys.exit(main())
