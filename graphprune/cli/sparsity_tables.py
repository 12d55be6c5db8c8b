"""What a run says of sparse weights: each one, why it stayed dense, and what is known of speed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphprune.cli.tables import Renderable, table, text


def sparsity_tables(facts: Mapping[str, Any]) -> Iterable[Renderable]:
    """The table of weights and the sentences below it, from the facts of the pass `sparsify`."""
    timed = "faster" in facts
    heads = ("picked", "time#") if timed else ()
    rows = [_row(layer, timed) for layer in facts["layers"]]
    header = ("weight", "operator", "C#", "K#", "kept#", "likely picked", *heads, "stays dense because")
    yield table(header, rows)
    yield text(summary(facts))
    yield text(speed(facts))


def ordered(facts: Mapping[str, Any]) -> str:
    """The sentence on an order of channels, from the facts of the pass `permute`."""
    total = facts["magnitude"] or 1.0
    before, after = (f"{100 * facts[key] / total:.1f} %" for key in ("kept_before", "kept_after"))
    if "distance" not in facts:
        return f"No order of channels keeps more: {facts['pattern']} keeps {before} of the magnitude."
    orders = sum(kept["after"] > kept["before"] for kept in facts["groups"].values())
    return (
        f"Channels put in another order in {orders} group{'' if orders == 1 else 's'}: of the magnitude that "
        f"may have it, {facts['pattern']} keeps {after}, and {before} without. What the model computes "
        f"stays: relative L2 distance {facts['distance']:.1e}."
    )


def _row(layer: Mapping[str, Any], timed: bool) -> tuple[object, ...]:
    kept = f"{100 * layer['kept']:.1f} %" if "kept" in layer else ""
    size = (layer["channels"] or "", layer["outputs"] or "")
    return (
        layer["weight"],
        layer["operator"].split()[0],
        *size,
        kept,
        "yes" if layer["likely"] else "",
        *(_measured(layer) if timed else ()),
        layer["reason"],
    )


def _measured(layer: Mapping[str, Any]) -> tuple[str, str]:
    """Whether a sparse kernel was picked, and the time with sparse weights over that with dense ones."""
    picked, ratio = layer.get("picked"), layer.get("ratio")
    return (
        "" if picked is None else "yes" if picked else "no",
        "" if ratio is None else f"x{ratio['ratio']:.3f}",
    )


def summary(facts: Mapping[str, Any]) -> str:
    """The sentence on what was done."""
    what = facts["pattern"] or f"sparsity {facts['sparsity']:g}"
    made = sum("kept" in layer for layer in facts["layers"])
    if not made:
        return f"Weights made sparse ({what}, {facts['method']}): none of {facts['eligible']} that may be."
    done = (
        f"Weights made sparse ({what}, {facts['method']}): {made} of {len(facts['layers'])}; "
        f"{100 * facts['kept_magnitude']:.1f} % of their magnitude stays."
    )
    by = {layer["method"] for layer in facts["layers"] if "method" in layer}
    if "magnitude" in by and facts["method"] != "magnitude":
        count = sum(layer.get("method") == "magnitude" for layer in facts["layers"])
        done += f" Of {count} the inputs are not looked at: they went by magnitude."
    if facts["output_error"] is not None:
        done += (
            f" Outputs on held-out samples: error {facts['output_error']:.3g} (squared error over variance: "
            "0 is the model before, 1 its mean)."
        )
    return done


def speed(facts: Mapping[str, Any]) -> str:
    """The sentence on what this does to speed, as far as it is known."""
    faster = facts.get("faster")
    if faster is not None:
        return _kept(faster, facts["eligible"])
    if facts["pattern"] != "2:4":
        return "Runtimes with sparse kernels of their own may use this; TensorRT uses 2:4 alone."
    said = (
        f"Eligible for TensorRT's sparse kernels: {facts['eligible']}; likely picked (C and K of 256 and "
        f"more): {facts['likely']}. What is picked, `graphprune build --sparsity` says; whether that is "
        "faster, only a measurement: --keep-if-faster."
    )
    if any(layer["eligible"] and layer["element"] == "FLOAT" for layer in facts["layers"]):
        said += " None is of float32: cast the model before it is built, with --precision fp16."
    return said


def _kept(faster: Mapping[str, Any], eligible: int) -> str:
    """The sentence on what was measured, and what stays sparse for it."""
    by = "weight by weight" if faster["by_layer"] else "as a whole, since it tells of no steps"
    every = (
        f"With {faster['backend']}, {by}: with all weights sparse the model takes {_ratio(faster['every'])}. "
    )
    if faster["result"] is None:
        return f"{every}The result is the dense model."
    if faster["kept"] == eligible:
        return f"{every}All stay sparse."
    return (
        f"{every}{faster['kept']} of {eligible} stay sparse, and the result takes {_ratio(faster['result'])}."
    )


def _ratio(ratio: Mapping[str, float]) -> str:
    return f"{ratio['ratio']:.3f} of the dense model's time ({ratio['low']:.3f} to {ratio['high']:.3f})"
