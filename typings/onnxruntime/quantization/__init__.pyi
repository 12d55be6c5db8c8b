from collections.abc import Mapping, Sequence
from enum import Enum
from os import PathLike
from typing import Any

from numpy.typing import NDArray

class CalibrationDataReader:
    def get_next(self) -> dict[str, NDArray[Any]] | None: ...

class CalibrationMethod(Enum):
    MinMax = 0
    Entropy = 1
    Percentile = 2

class QuantFormat(Enum):
    QOperator = 0
    QDQ = 1

class QuantType(Enum):
    QInt8 = 0
    QUInt8 = 1

def quantize_static(
    model_input: str | PathLike[str],
    model_output: str | PathLike[str],
    calibration_data_reader: CalibrationDataReader,
    quant_format: QuantFormat = ...,
    *,
    per_channel: bool = False,
    reduce_range: bool = False,
    activation_type: QuantType = ...,
    weight_type: QuantType = ...,
    nodes_to_exclude: Sequence[str] | None = None,
    calibrate_method: CalibrationMethod = ...,
    extra_options: Mapping[str, object] | None = None,
) -> None: ...
