from typing import Any

from numpy.typing import NDArray
from onnx import SparseTensorProto, TensorProto

class LazyValues:
    shape: tuple[int, ...]
    dtype: Any
    @property
    def nbytes(self) -> int: ...
    def __init__(self, tensor: TensorProto | SparseTensorProto) -> None: ...
    @property
    def tensor(self) -> Any: ...
    def load(self) -> NDArray[Any]: ...

class SparseValues(LazyValues):
    def __init__(self, tensor: SparseTensorProto) -> None: ...
