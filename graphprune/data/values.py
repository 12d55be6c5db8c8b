"""Values that a model is fed: cast to the model's types where nothing is lost, and finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.data.layout import Input
from graphprune.errors import Usage

Numbers = Sequence[int] | NDArray[np.int64]
_ORDER = "buif"


def check_dtype(given: np.dtype[Any], wanted: Input, where: str) -> None:
    """Raise `Usage` unless values of type `given` may be fed to an input.

    Any float may become any float and any integer any integer that can hold the values; integers and
    booleans may become floats. Floats never become integers.
    """
    if given.hasobject:
        raise Usage(
            f"{where}: {wanted.name} holds Python objects", "pickles are not read; save plain numbers"
        )
    kind, target = _kind(given), _kind(wanted.dtype)
    if kind == target == "U" or (kind in _ORDER and target in _ORDER and not (kind == "f" and target != "f")):
        return
    if target == "f" or kind not in _ORDER:
        hint = f"save it as {wanted.dtype.name}"
    else:
        hint = f"if these are whole numbers, save them with astype('{wanted.dtype.name}')"
    raise Usage(f"{where}: {wanted.name} is {given.name}, the model takes {wanted.dtype.name}", hint)


def _kind(dtype: np.dtype[Any]) -> str:
    """The kind of a type, also of those that numpy itself does not know (bfloat16, float8, int4)."""
    if dtype.kind in "OUT":
        return "U"
    if dtype.kind == "V":
        return (
            "f" if "float" in dtype.name else {"uint": "u", "int4": "i", "int2": "i"}.get(dtype.name[:4], "V")
        )
    return dtype.kind


def cast(array: NDArray[Any], wanted: Input, where: str, numbers: Numbers = range(1 << 62)) -> NDArray[Any]:
    """Return `array` [n, ...] in the type of an input.

    `numbers` are the numbers of its samples, for messages.

    Raises:
        Usage: the type does not fit, a float is not finite, or a value does not fit the input's type.
    """
    check_dtype(array.dtype, wanted, where)
    if _kind(wanted.dtype) == "U":
        return array.astype(object)
    with np.errstate(over="ignore", invalid="ignore"):
        result = np.ascontiguousarray(array.astype(wanted.dtype, copy=False)).reshape(array.shape)
    if _kind(wanted.dtype) == "f":
        check_finite(array, wanted.name, where, numbers)
        bad = ~np.isfinite(result)
    elif array.dtype != wanted.dtype:
        bad = result != array  # numpy compares mixed signs exactly
    else:
        return result
    if bad.any():
        sample = numbers[int(np.argwhere(bad)[0][0])]
        raise Usage(
            f"{where}: sample {sample} of {wanted.name} does not fit {wanted.dtype.name}",
            "values must be in the range of the model's type",
        )
    return result


def check_finite(array: NDArray[Any], name: str, where: str, numbers: Numbers = range(1 << 62)) -> None:
    """Raise `Usage` where a float in `array` [n, ...] is NaN or infinite, naming the first such sample."""
    if _kind(array.dtype) != "f":
        return
    finite = np.isfinite(array)
    if not finite.all():
        place = np.argwhere(~finite)[0]
        value = "NaN" if np.isnan(array[tuple(place)]) else "infinite"
        raise Usage(
            f"{where}: sample {numbers[int(place[0])]} of {name} has a value that is {value}",
            "mend or leave out such samples",
        )


def check_targets(array: NDArray[Any], where: str, numbers: Numbers = range(1 << 62)) -> NDArray[Any]:
    """Return `array` [n, ...], the labels, if they are finite numbers; raise `Usage` otherwise."""
    check_target_dtype(array.dtype, where)
    check_finite(array, "the labels", where, numbers)
    return array


def check_target_dtype(dtype: np.dtype[Any], where: str) -> None:
    """Raise `Usage` unless labels of this type are numbers."""
    if dtype.hasobject or dtype.kind not in "biuf":
        raise Usage(f"{where}: the labels are {dtype.name}, no numbers", "save them as integers or floats")
