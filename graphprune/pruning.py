"""Pruning in one go: the pipeline that `graphprune prune` runs, and its options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from graphprune.custom_ops import custom_ops as libraries
from graphprune.errors import Usage
from graphprune.nearest import did_you_mean
from graphprune.options import FALSE, TRUE, Item, Option, build, options, write
from graphprune.passes.tabulate import Tabulate
from graphprune.pipeline import run as run_pipeline
from graphprune.registry import find
from graphprune.state import Pass, State
from graphprune.target import read_latency
from graphprune.tiles import QUANTISED

if TYPE_CHECKING:
    from onnx import ModelProto

    from graphprune.model import Model

Target = tuple[str, str]
"""A pass and one of its options (kebab-case)."""
Depth = Literal["plan", "cut", "verify"]

_MOST_STEPS = 100

OPTIONS: Mapping[str, tuple[Target, ...]] = {
    "ratio": (("select", "ratio"),),
    "target": (("select", "target"),),
    "scope": (("select", "scope"),),
    "importance": (("score", "by"),),
    "only": (("select", "only"), ("probe", "only"), ("tabulate", "only")),
    "ignore": (("select", "ignore"), ("probe", "ignore"), ("tabulate", "ignore")),
    "ratio-for": (("select", "ratio-for"),),
    "max-ratio": (("select", "max-ratio"),),
    "min-units": (("select", "min-units"),),
    "round-to": (("select", "round-to"),),
    "data": (("calibrate", "data"),),
    "samples": (("calibrate", "samples"),),
    "label-key": (("calibrate", "label-key"),),
    "compensate": (("compensate", "by"),),
    "sparsify": (("sparsify", "pattern"), ("permute", "pattern")),
    "permute": (),
    "precision": (("cast", "to"),),
    "steps": (("advance", "steps"),),
    "plan": (("replay", "plan"),),
    "threads": (("tabulate", "threads"), ("profile", "threads")),
    "gpu": (("tabulate", "gpu"), ("profile", "gpu")),
    "seed": (
        ("score", "seed"),
        ("verify", "seed"),
        ("calibrate", "seed"),
        ("tabulate", "seed"),
        ("permute", "seed"),
        ("cast", "seed"),
        ("profile", "seed"),
    ),
    "shape": (
        ("verify", "shape"),
        ("group", "shape"),
        ("calibrate", "shape"),
        ("tabulate", "shape"),
        ("permute", "shape"),
        ("cast", "shape"),
        ("profile", "shape"),
    ),
    "rtol": (("verify", "rtol"),),
    "atol": (("verify", "atol"),),
    "allow-noop": (("select", "allow-noop"), ("replay", "allow-noop")),
}
"""The options of pruning, in Python and on the command line, and the options of passes that they set."""

PRECISION = Option(
    "precision",
    "precision",
    Literal["none", "fp16", "bf16", "int8"],
    "none",
    "the precision of the result: cast to 16 bits, or quantised on the calibration data",
)
PERMUTE = Option(
    "permute",
    "permute",
    bool,
    False,
    "before the pattern of --sparsify, put channels in an order of which it keeps more",
)
_SWITCHES = {each.name: each for each in (PRECISION, PERMUTE)}
"""Options that say which passes run; the others set a field of one."""


def option(name: str) -> Option:
    """The option called `name`, as the first pass that has it describes it."""
    if name in _SWITCHES:
        return _SWITCHES[name]
    of, target = OPTIONS[name][0]
    return {option.name: option for option in options(find(of))}[target]


def passes(
    values: Mapping[str, tuple[Item, ...]], depth: Depth = "verify", dashes: str = "--"
) -> tuple[Pass, ...]:
    """The passes that prune with these options (kebab-case name -> pieces of the value).

    `dashes` is put before an option's name in errors. Raises `Usage` for an unknown option, a wrong value,
    and an option of a pass that does not run.
    """
    precision = _precision(values.get("precision"), dashes)
    values = _permuted(values, dashes)
    names = _names(values, depth, _REFINING[precision])
    if not set(_REFINING[precision]) <= set(names):
        raise Usage(f"{dashes}precision has no effect here", "a plan has none: prune to a model")
    values = {name: items for name, items in values.items() if name != "precision" or "cast" in names}
    values = {name: items for name, items in values.items() if name != "steps" or "advance" in names}
    if "permute" in names:
        del values["permute"]
    chosen: dict[str, dict[str, tuple[Item, ...]]] = {name: {} for name in names}
    labels: dict[str, dict[str, str]] = {name: {} for name in names}
    for name, items in values.items():
        if name not in OPTIONS:
            raise Usage(f"pruning has no option {name}", did_you_mean(name, OPTIONS))
        targets = [(of, target) for of, target in OPTIONS[name] if of in chosen]
        if not targets:
            of = OPTIONS[name][0][0] if OPTIONS[name] else name
            hint = f"pass {of} does not run; leave {dashes}{name} out"
            if of in ("calibrate", "compensate") and "data" not in values:
                hint = f"it works on calibration data: give {dashes}data"
            if of == "tabulate":
                hint = f"it is about measured latency: give {dashes}target latency=0.7x"
            raise Usage(f"{dashes}{name} has no effect here", hint)
        for of, target in targets:
            chosen[of][target] = items
            labels[of][target] = f"{dashes}{name}"
    _aim(values, names, chosen)
    if precision == "int8" and [item.text for item in chosen.get("select", {}).get("round-to", ())] == [
        "auto"
    ]:
        # The weights that are looked at are those before they are quantised.
        chosen["select"]["round-to"] = (Item(str(QUANTISED)),)
    made = tuple(build(find(name), chosen[name], labels[name]) for name in names)
    for one in made:
        if isinstance(one, Tabulate):
            one.ready()  # minutes of calibration come before it
    return made


def _aim(
    values: Mapping[str, tuple[Item, ...]],
    names: tuple[str, ...],
    chosen: Mapping[str, dict[str, tuple[Item, ...]]],
) -> None:
    """Tell the passes what follows for them from options of others."""
    if "tabulate" in names:
        text = ",".join(item.text for item in values["target"])
        latency = read_latency(text)
        assert latency is not None
        chosen["tabulate"]["backend"] = (Item(latency.backend),)
        if "profile" in names:
            chosen["profile"].update(backend=(Item(latency.backend),), target=(Item(text),))
    if "sparsify" in names and "round-to" not in values and "select" in chosen:
        # What is left must be a multiple of M, or it cannot have the pattern.
        chosen["select"]["round-to"] = (Item(values["sparsify"][0].text.rpartition(":")[2]),)
    if "advance" in names:
        chosen["select"]["target"] = (Item(_share_of(values["target"], names.count("advance") + 1)),)


def _share_of(target: tuple[Item, ...], steps: int) -> str:
    """The target of one step, when all of them together are to meet the whole."""
    text = ",".join(item.text for item in target).strip()
    found = re.fullmatch(r"(\w+)\s*=\s*([0-9.]+)\s*(x|%)", text)
    if found is None:
        raise Usage(f"target '{text}' cannot be met in steps", "write a share, as macs=0.5x")
    share = float(found[2]) / (100 if found[3] == "%" else 1)
    return f"{found[1]}={share ** (1 / steps):.6g}x"


_REFINING: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "fp16": ("cast",),
    "bf16": ("cast",),
    "int8": ("quantise",),
}
"""The passes after the surgery, by precision."""


def _permuted(values: Mapping[str, tuple[Item, ...]], dashes: str) -> Mapping[str, tuple[Item, ...]]:
    """The options without `permute` where it says no."""
    if "permute" not in values:
        return values
    text = ",".join(item.text.lower() for item in values["permute"]) or "true"
    if text not in TRUE | FALSE:
        raise Usage(f"{dashes}permute is {text!r}", "expected true or false")
    if text in FALSE:
        return {name: items for name, items in values.items() if name != "permute"}
    if "sparsify" not in values:
        raise Usage(
            f"{dashes}permute has no effect here", f"the order is for a pattern: give {dashes}sparsify 2:4"
        )
    return values


def _precision(items: tuple[Item, ...] | None, dashes: str) -> str:
    text = "none" if items is None else ",".join(item.text for item in items)
    if text not in _REFINING:
        hint = f"expected one of {'|'.join(_REFINING)}; {did_you_mean(text, _REFINING)}"
        raise Usage(f"{dashes}precision is {text!r}", hint)
    return text


def _names(
    values: Mapping[str, tuple[Item, ...]], depth: Depth, refining: tuple[str, ...]
) -> tuple[str, ...]:
    """The passes that run, in order."""
    with_data = "data" in values
    if "quantise" in refining and not with_data:
        raise Usage("int8 needs calibration data", "give it with --data, or cast to fp16")
    given = {name: ",".join(item.text for item in values.get(name, ())) for name in ("scope", "only")}
    timed = read_latency(",".join(item.text for item in values.get("target", ()))) is not None
    timed = timed and "plan" not in values
    if "plan" in values:
        choose: tuple[str, ...] = ("replay",)
    else:
        spread = with_data and "target" in values and given["scope"] in ("", "auto", "sensitivity")
        judge = with_data and not spread and "layers" in given["only"].split(",")
        choose = (
            "score",
            *(["influence"] if judge else []),
            *(["probe"] if spread else []),
            *(["tabulate"] if timed else []),
            "select",
        )
    cut = {"plan": (), "cut": ("cut",), "verify": ("cut", "verify")}[depth]
    mend = (
        *(("compensate",) if with_data and cut else ()),
        *(("permute",) if "permute" in values and cut else ()),
        *(("sparsify",) if "sparsify" in values and cut else ()),
        *(refining if cut else ()),
        *(("profile",) if timed and cut else ()),
    )
    first = ("fold", "group", *(["calibrate"] if with_data else []))
    further = _steps(values.get("steps")) - 1
    if further and not (with_data and "target" in values and "plan" not in values):
        raise Usage("steps need calibration data and a target", "give --data and --target")
    if further and timed:
        raise Usage("a latency is not met in steps", "leave --steps out, or set a target of MACs")
    if not further:
        return (*first, *choose, *cut, *mend)
    step = (*choose, "cut", "compensate", "advance")
    return (*first, *(step * further), *choose, "compose", *cut, *mend)


def _steps(items: tuple[Item, ...] | None) -> int:
    text = "1" if not items else items[0].text
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_STEPS:
        raise Usage(f"steps is '{text}'", f"give a whole number from 1 to {_MOST_STEPS}")
    return int(text)


def prune(
    model: Model | ModelProto | Path | str,
    *,
    verify: bool = True,
    custom_ops: Sequence[Path | str] = (),
    **values: object,
) -> State:
    """Prune `model` and return all that came of it; `save(state.result, path)` writes the smaller model.

    A model is a path, what `graphprune.load` returns, or a `ModelProto` as `onnx.load` returns it.

    Options are those of `graphprune prune`, with underscores: `ratio`, `target`, `scope`, `importance`,
    `only`, `ignore`, `ratio_for`, `max_ratio`, `min_units`, `round_to`, `plan` (a path), `seed`, `shape`,
    `rtol`, `atol`, `allow_noop`, `sparsify`, `permute`, `precision`, with a target of latency `threads`,
    `gpu`, and with calibration data `data`, `samples`, `label_key`, `compensate`, `steps`. `custom_ops` are
    libraries of ONNX Runtime operators, whose code is run.

    Raises `Usage` for a wrong option, `Refused` where nothing can be pruned, `Negative` where a target cannot
    be reached or the result is not exact.
    """
    items: dict[str, tuple[Item, ...]] = {}
    for name, value in values.items():
        kebab = name.replace("_", "-")
        if kebab not in OPTIONS:
            raise Usage(
                f"pruning has no option {name}", did_you_mean(name, (n.replace("-", "_") for n in OPTIONS))
            )
        items[kebab] = write(option(kebab).type, _frozen(value))
    with libraries(custom_ops):
        return run_pipeline(passes(items, "verify" if verify else "cut", dashes=""), start(model))


def _frozen(value: object) -> object:
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value


def run(model: Model | ModelProto | Path | str, pipeline: str) -> State:
    """Run any pipeline, as `fold,group,score{by=l1},select{ratio=0.3},cut,verify`, on `model`."""
    from graphprune.pipeline_text import parse

    return run_pipeline(parse(pipeline), start(model))


def start(model: Model | ModelProto | Path | str) -> State:
    """The state before the first pass."""
    from graphprune.model import Model, load

    return State(model if isinstance(model, Model) else load(model))
