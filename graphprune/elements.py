"""Element types: what one number of a tensor is in numpy, and how many bits it takes in a file."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from onnx import TensorProto, helper

# Types of less than a byte are packed in files; numpy holds one element a byte.
_PACKED_BITS = {
    "FLOAT6E2M3": 6,
    "FLOAT6E3M2": 6,
    "FLOAT4E2M1": 4,
    "INT4": 4,
    "UINT4": 4,
    "INT2": 2,
    "UINT2": 2,
}

NAMES: dict[int, str] = {number: name for name, number in TensorProto.DataType.items()}
DTYPES: dict[int, np.dtype[Any]] = {
    number: helper.tensor_dtype_to_np_dtype(number) for number in NAMES if number != TensorProto.UNDEFINED
}
FIELDS: dict[int, str] = {number: helper.tensor_dtype_to_field(number) for number in DTYPES}
BITS: dict[int, int] = {
    number: _PACKED_BITS.get(NAMES[number], dtype.itemsize * 8) for number, dtype in DTYPES.items()
}
_NUMBERS: dict[np.dtype[Any], int] = {dtype: number for number, dtype in DTYPES.items()}


def is_packed(element: int) -> bool:
    """Whether several elements of type `element` share a byte in a file."""
    return BITS[element] < 8


def is_weights(dtype: np.dtype[Any]) -> bool:
    """Whether numbers of a type may be weights: no indices, sizes, masks or texts."""
    return dtype.kind not in "bO" and not (dtype.kind in "iu" and dtype.itemsize >= 4)


def is_numpys(dtype: np.dtype[Any]) -> bool:
    """Whether numpy itself knows a type; bfloat16, float8, int4 and the like come from ml_dtypes."""
    return dtype.isbuiltin != 2


def number_of(dtype: np.dtype[Any]) -> int:
    """Return ONNX's number of a numpy or ml_dtypes type; KeyError where ONNX has none."""
    if dtype.kind in "OSU":
        return int(TensorProto.STRING)
    return _NUMBERS[dtype.newbyteorder("=") if dtype.byteorder == ">" else dtype]


MOST = 1 << 44
"""Elements of a tensor that is still possible: 17.6 million million are more than any machine holds."""


def count(dims: Iterable[int]) -> int:
    """Return the number of elements of a tensor of these sizes, in exact arithmetic."""
    return math.prod(dims)


def stored_bytes(element: int, elements: int) -> int:
    """Return the bytes that `elements` numbers of a type take in a file (strings have no fixed size)."""
    return (elements * BITS[element] + 7) // 8


def field_entries(element: int, elements: int) -> int:
    """Return how many entries the typed field (`float_data`, `int32_data` ...) of a tensor must have."""
    if element in (TensorProto.COMPLEX64, TensorProto.COMPLEX128):
        return 2 * elements
    if BITS[element] in (2, 4):
        return (elements * BITS[element] + 7) // 8
    return elements
