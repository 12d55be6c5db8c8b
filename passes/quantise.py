"""quantise: the model in int8."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from graphprune.errors import Usage
from graphprune.state import State, made


@dataclass(frozen=True)
class Quantise:
    """Quantises the result statically with ONNX Runtime, on the calibration data.

    Weights and activations go through QuantizeLinear and DequantizeLinear, which runtimes turn into int8
    kernels. The outputs are compared with those before.
    """

    name: ClassVar[str] = "quantise"
    needs: ClassVar[tuple[str, ...]] = ("calibration",)
    gives: ClassVar[tuple[str, ...]] = ("refined", "stages")

    activations: Literal["uint8", "int8"] = field(
        default="uint8", metadata={"help": "the type of activations; TensorRT wants int8 and symmetric"}
    )
    symmetric: bool = field(default=False, metadata={"help": "make zero points of activations 0"})
    per_channel: bool = field(
        default=True, metadata={"help": "a scale for each output channel of a weight, in place of one"}
    )
    method: Literal["minmax", "percentile"] = field(
        default="minmax", metadata={"help": "how the range of an activation follows from the data"}
    )
    samples: int = field(default=256, metadata={"help": "at most so many samples of the calibration data"})
    reduce_range: bool = field(
        default=False, metadata={"help": "weights of 7 bits, for processors without VNNI"}
    )
    block: tuple[str, ...] = field(
        default=(), metadata={"help": "globs over operators and names of nodes that stay float32"}
    )

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise Usage(f"samples is {self.samples}", "give a whole number from 1 on")

    def run(self, state: State) -> State:
        """The state with `refined`; raises `Refused` for a model that is quantised already."""
        from graphprune.precision.outcome import inputs_for, outcome
        from graphprune.precision.quantise import quantise

        model, calibration = state.result, made(state.calibration, "calibration")
        quantised = quantise(
            model,
            calibration.first(self.samples),
            activations=self.activations,
            symmetric=self.symmetric,
            per_channel=self.per_channel,
            method=self.method,
            reduce_range=self.reduce_range,
            block=self.block,
        )
        found = outcome(model, quantised, inputs_for(model, calibration))
        facts = {
            "activations": self.activations,
            "symmetric": self.symmetric,
            "per_channel": self.per_channel,
            "method": self.method,
            "quantised": sum(node.op == "QuantizeLinear" for node in quantised.graph.nodes),
            "opsets": [model.graph.opset, quantised.graph.opset],
            "measured_on": "calibration data",
            **found.facts(),
        }
        return state.refine(self.name, quantised, facts)
