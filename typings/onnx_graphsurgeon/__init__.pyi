"""The part of onnx-graphsurgeon 0.6 that graphprune uses; the package itself carries no types."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, OperatorSetIdProto
from onnx_graphsurgeon.ir.tensor import LazyValues

class Tensor:
    name: str
    inputs: list[Node]
    outputs: list[Node]
    @property
    def shape(self) -> Any: ...
    @property
    def dtype(self) -> Any: ...
    def is_empty(self) -> bool: ...
    def to_constant(
        self,
        values: NDArray[Any],
        data_location: int | None = None,
        export_dtype: Any = None,
    ) -> Tensor: ...
    def to_variable(self, dtype: Any = None, shape: Sequence[int | str] = ...) -> Tensor: ...
    def i(self, tensor_idx: int = 0, producer_idx: int = 0) -> Tensor: ...
    def o(self, consumer_idx: int = 0, tensor_idx: int = 0) -> Tensor: ...
    def copy(self) -> Tensor: ...

class Variable(Tensor):
    dtype: Any
    shape: Any
    type: str
    def __init__(
        self,
        name: str,
        dtype: Any = None,
        shape: Sequence[int | str | None] | None = None,
        type: str = "tensor_type",
    ) -> None: ...
    @staticmethod
    def empty() -> Variable: ...
    def copy(self) -> Variable: ...

class Constant(Tensor):
    _values: NDArray[Any] | LazyValues
    data_location: int | None
    export_dtype: Any
    def __init__(
        self,
        name: str,
        values: NDArray[Any] | LazyValues,
        data_location: int | None = None,
        export_dtype: Any = None,
    ) -> None: ...
    @property
    def values(self) -> NDArray[Any]: ...
    @values.setter
    def values(self, values: NDArray[Any] | LazyValues) -> None: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def copy(self) -> Constant: ...

class Node:
    op: str
    name: str
    attrs: dict[str, Any]
    inputs: list[Tensor]
    outputs: list[Tensor]
    domain: str | None
    def __init__(
        self,
        op: str,
        name: str | None = None,
        attrs: dict[str, Any] | None = None,
        inputs: Sequence[Tensor] | None = None,
        outputs: Sequence[Tensor] | None = None,
        domain: str | None = None,
    ) -> None: ...
    def i(self, tensor_idx: int = 0, producer_idx: int = 0) -> Node: ...
    def o(self, consumer_idx: int = 0, tensor_idx: int = 0) -> Node: ...
    def subgraphs(self, recursive: bool = False) -> Iterator[Graph]: ...
    def copy(
        self,
        inputs: Sequence[Tensor] | None = None,
        outputs: Sequence[Tensor] | None = None,
        tensor_map: dict[str, Tensor] | None = None,
    ) -> Node: ...

class Graph:
    nodes: list[Node]
    inputs: list[Tensor]
    outputs: list[Tensor]
    name: str
    doc_string: str
    opset: int
    import_domains: list[OperatorSetIdProto]
    producer_name: str
    producer_version: str
    functions: list[Any]
    ir_version: int | None
    def __init__(
        self,
        nodes: Sequence[Node] | None = None,
        inputs: Sequence[Tensor] | None = None,
        outputs: Sequence[Tensor] | None = None,
        name: str | None = None,
        doc_string: str | None = None,
        opset: int | None = None,
        import_domains: Sequence[OperatorSetIdProto] | None = None,
        producer_name: str | None = None,
        producer_version: str | None = None,
        functions: Sequence[Any] | None = None,
        ir_version: int | None = None,
    ) -> None: ...
    def subgraphs(self, recursive: bool = False) -> Iterator[Graph]: ...
    def tensors(self, check_duplicates: bool = False) -> dict[str, Tensor]: ...
    def cleanup(
        self,
        remove_unused_node_outputs: bool = False,
        recurse_subgraphs: bool = True,
        remove_unused_graph_inputs: bool = False,
        recurse_functions: bool = True,
    ) -> Graph: ...
    def toposort(
        self, recurse_subgraphs: bool = True, recurse_functions: bool = True, mode: str = "full"
    ) -> Graph: ...
    def copy(self, tensor_map: dict[str, Tensor] | None = None) -> Graph: ...

def import_onnx(onnx_model: ModelProto) -> Graph: ...
def export_onnx(graph: Graph, do_type_check: bool = True, **kwargs: Any) -> ModelProto: ...
