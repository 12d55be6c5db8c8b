"""Cases of operators that treat every element by itself, where the onnx package has none that can be cut."""

from __future__ import annotations

import numpy as np

from tests.rules.case import case, draw, scalar, whole

CASES = (
    case(
        "with a shift a column",
        'y = BitShift <direction = "LEFT"> (x, s)',
        outputs="uint8 y",
        x=whole((3, 4), 0, 9, np.uint8),
        s=whole((4,), 0, 3, np.uint8),
        cuts=(3, 4),
    ),
    case("to integers", "y = Cast <to = 6> (x)", outputs="int32 y", x=(3, 4), cuts=(3, 4)),
    case("to half precision", "y = Cast <to = 10> (x)", outputs="float16 y", x=(3, 4), cuts=(3, 4)),
    case(
        "like a vector of another size",
        "y = CastLike (x, t)",
        outputs="int64 y",
        x=(3, 4),
        t=whole((5,), 0, 2),
        cuts=(3, 4),
    ),
    case("alpha", "y = Celu <alpha = 0.7> (x)", x=(3, 4), cuts=(3, 4)),
    case(
        "of integers",
        "y = Mod (x, m)",
        outputs="int64 y",
        x=whole((3, 4), -9, 9),
        m=whole((4,), 2, 7),
        cuts=(3, 4),
    ),
    case("of floats", "y = Mod <fmod = 1> (x, m)", x=(3, 4), m=draw((3, 1), 0.5, 1.5), cuts=(3, 4)),
    case("broadcast from both sides", "y = Add (a, b)", a=(2, 1, 4), b=(3, 1), cuts=(2, 3, 4)),
    case("with itself", "y = Mul (x, x)", x=(3, 4), cuts=(3, 4)),
    case("with itself transposed", "t = Transpose (x) y = Add (x, t)", of="Add", x=(4, 4), cuts=(4,)),
    case("with a scalar", "y = Sub (a, b)", a=(3, 4), b=scalar(0.5), cuts=(3, 4)),
    case("a slope a channel", "y = PRelu (x, s)", x=(2, 3, 4, 5), s=(3, 1, 1), cuts=(2, 3, 4, 5)),
    case(
        "a condition of one row",
        "y = Where (c, a, b)",
        c=np.array([True, False, True, False]),
        a=(3, 1),
        b=(2, 1, 1),
        cuts=(2, 3, 4),
    ),
    case("of three", "y = Max (a, b, c)", a=(3, 4), b=(4,), c=(2, 1, 1), cuts=(2, 3, 4)),
    case("of one", "y = Sum (a)", a=(3, 4), cuts=(3, 4)),
    case("with both bounds", "y = Clip (x, a, b)", x=(3, 4), a=scalar(-0.5), b=scalar(0.5), cuts=(3, 4)),
    case("with an upper bound only", "y = Clip (x, , b)", x=(3, 4), b=scalar(0.5), cuts=(3, 4)),
    case("with a ratio", "y = Dropout (x, r)", x=(3, 4), r=scalar(0.4), cuts=(3, 4)),
    case("not in training", "y = Dropout (x, r, t)", x=(3, 4), r=scalar(0.4), t=np.array(False), cuts=(3, 4)),
    case("with its mask", "y, z = Dropout (x)", x=(3, 4), outputs="float y, bool z", cuts=(3, 4)),
)
