"""Cases of recurrent operators."""

from __future__ import annotations

import numpy as np

from tests.rules.case import Array, Case, case, draw, whole


def _cases(op: str, gates: int) -> tuple[Case, ...]:
    """Return forward and bidirectional cases of an operator with stacked gates, with and without a state."""
    left, outputs, rows = "y, z", "float y, float z", 5 * gates
    return (
        case(
            "forward",
            f"{left} = {op} <hidden_size = 5> (x, w, r)",
            outputs=outputs,
            x=(4, 3, 6),
            w=(1, rows, 6),
            r=(1, rows, 5),
            cuts=(3, 5, 6),
        ),
        case(
            "bidirectional, with a bias and an initial state",
            f'{left} = {op} <hidden_size = 5, direction = "bidirectional"> (x, w, r, b, , h)',
            outputs=outputs,
            x=(4, 3, 6),
            w=(2, rows, 6),
            r=(2, rows, 5),
            b=(2, 2 * rows),
            h=(2, 3, 5),
            cuts=(3, 5, 6),
        ),
        case(
            "backwards, with lengths",
            f'{left} = {op} <hidden_size = 5, direction = "reverse"> (x, w, r, b, n)',
            outputs=outputs,
            x=(4, 3, 6),
            w=(1, rows, 6),
            r=(1, rows, 5),
            b=(1, 2 * rows),
            n=whole((3,), 1, 5, np.int32),
            cuts=(3, 5, 6),
        ),
    )


def _codes(*sizes: int) -> Array:
    return whole(sizes, -100, 100, np.int8, seed=sum(sizes))


_SCALE = np.full(2, 0.01, np.float32)
_ZERO = np.zeros(2, np.int8)

_QUANTISED = (
    case(
        "forward",
        "y = com.microsoft.DynamicQuantizeLSTM <hidden_size = 5> (x, w, r, b, , , , , ws, wz, rs, rz)",
        x=(4, 3, 6),
        w=_codes(1, 6, 20),
        r=_codes(1, 5, 20),
        b=(1, 40),
        ws=_SCALE[:1],
        wz=_ZERO[:1],
        rs=_SCALE[:1],
        rz=_ZERO[:1],
        cuts=(3, 5, 6),
    ),
    case(
        "bidirectional, with all operands",
        'y, h, c = com.microsoft.DynamicQuantizeLSTM <hidden_size = 5, direction = "bidirectional"> '
        "(x, w, r, b, n, s, t, p, ws, wz, rs, rz)",
        outputs="float y, float h, float c",
        x=(4, 3, 6),
        w=_codes(2, 6, 20),
        r=_codes(2, 5, 20),
        b=(2, 40),
        n=whole((3,), 1, 5, np.int32),
        s=(2, 3, 5),
        t=(2, 3, 5),
        p=(2, 15),
        ws=_SCALE,
        wz=_ZERO,
        rs=_SCALE,
        rz=_ZERO,
        cuts=(3, 5, 6),
    ),
    case(
        "a scale a column",
        "y = com.microsoft.DynamicQuantizeLSTM <hidden_size = 5> (x, w, r, b, , , , , ws, wz, rs, rz)",
        x=(4, 3, 6),
        w=_codes(1, 6, 20),
        r=_codes(1, 5, 20),
        b=(1, 40),
        ws=draw((1, 20), 0.005, 0.02, seed=1),
        wz=np.zeros((1, 20), np.int8),
        rs=draw((1, 20), 0.005, 0.02, seed=2),
        rz=np.zeros((1, 20), np.int8),
        cuts=(3, 5, 6),
    ),
)

CASES = (
    *_QUANTISED,
    *_cases("RNN", 1),
    *_cases("GRU", 3),
    *_cases("LSTM", 4),
    case(
        "bidirectional, with both initial states",
        'y, h, c = LSTM <hidden_size = 5, direction = "bidirectional"> (x, w, r, b, , s, t)',
        outputs="float y, float h, float c",
        x=(4, 3, 6),
        w=(2, 20, 6),
        r=(2, 20, 5),
        b=(2, 40),
        s=(2, 3, 5),
        t=(2, 3, 5),
        cuts=(3, 5, 6),
    ),
    case(
        "linear before reset",
        "y, h = GRU <hidden_size = 5, linear_before_reset = 1> (x, w, r, b)",
        outputs="float y, float h",
        x=(4, 3, 6),
        w=(1, 15, 6),
        r=(1, 15, 5),
        b=(1, 30),
        cuts=(3, 5, 6),
    ),
    case(
        "peepholes",
        "y, h, c = LSTM <hidden_size = 5> (x, w, r, b, , , , p)",
        outputs="float y, float h, float c",
        x=(4, 3, 6),
        w=(1, 20, 6),
        r=(1, 20, 5),
        b=(1, 40),
        p=(1, 15),
        cuts=(3, 5, 6),
    ),
    case(
        "two layers",
        "a = LSTM <hidden_size = 5> (x, w, r) b = Squeeze (a, k) y = LSTM <hidden_size = 7> (b, v, s)",
        of="LSTM",
        x=(4, 3, 6),
        w=(1, 20, 6),
        r=(1, 20, 5),
        k=whole((1,), 1, 2),
        v=(1, 28, 5),
        s=(1, 28, 7),
        cuts=(3, 5, 6, 7),
    ),
)
