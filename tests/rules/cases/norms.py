"""Cases of normalisations, softmax and pooling."""

from __future__ import annotations

import numpy as np

from tests.rules.case import case, draw, ints

_NORMS = (
    case(
        "at inference",
        "y = BatchNormalization (x, s, b, m, v)",
        x=(2, 3, 4, 5),
        s=(3,),
        b=(3,),
        m=(3,),
        v=draw((3,), 0.5, 1.5),
        cuts=(2, 3, 4, 5),
    ),
    case(
        "in training",
        "y, p, q = BatchNormalization <training_mode = 1> (x, s, b, m, v)",
        outputs="float y, float p, float q",
        x=(4, 3, 5, 5),
        s=(3,),
        b=(3,),
        m=(3,),
        v=draw((3,), 0.5, 1.5),
        cuts=(3, 4, 5, 5),
    ),
    case("", "y = InstanceNormalization (x, s, b)", x=(2, 3, 4, 5), s=(3,), b=(3,), cuts=(2, 3, 4, 5)),
    case(
        "opset 21: a scale a channel",
        "y = GroupNormalization <num_groups = 3> (x, s, b)",
        x=(2, 12, 5, 6),
        s=(12,),
        b=(12,),
        cuts=(2, 3, 4, 5, 6),
    ),
    case(
        "opset 18: a scale a group",
        "y = GroupNormalization <num_groups = 3> (x, s, b)",
        opset=18,
        x=(2, 12, 5, 6),
        s=(3,),
        b=(3,),
        cuts=(2, 3, 4, 5, 6),
    ),
    case(
        "as many groups as channels",
        "y = GroupNormalization <num_groups = 6> (x, s, b)",
        x=(2, 6, 4, 5),
        s=(6,),
        b=(6,),
        cuts=(2, 4, 5, 6),
    ),
    case("last axis", "y = LayerNormalization (x, s, b)", x=(2, 3, 4), s=(4,), b=(4,), cuts=(2, 3, 4)),
    case(
        "from an axis on, with its statistics",
        "y, m, d = LayerNormalization <axis = 1> (x, s)",
        outputs="float y, float m, float d",
        x=(2, 3, 4),
        s=(3, 4),
        cuts=(2, 3, 4),
    ),
    case(
        "a scale that broadcasts",
        "y = LayerNormalization <axis = -2> (x, s)",
        x=(2, 3, 4),
        s=(4,),
        cuts=(2, 3, 4),
    ),
    case("", "y = SimplifiedLayerNormalization <axis = -1> (x, s)", x=(2, 3, 4), s=(4,), cuts=(2, 3, 4)),
    case("", "y = RMSNormalization <axis = -1> (x, s)", opset=23, x=(2, 3, 4), s=(4,), cuts=(2, 3, 4)),
    case("default axes", "y = MeanVarianceNormalization (x)", x=(2, 3, 4, 5), cuts=(2, 3, 4, 5)),
    case("axes given", "y = MeanVarianceNormalization <axes = [-1]> (x)", x=(2, 3, 4), cuts=(2, 3, 4)),
    case("p = 1", "y = LpNormalization <p = 1, axis = 1> (x)", x=(2, 3, 4), cuts=(2, 3, 4)),
    case("", "y = LRN <size = 3> (x)", x=(2, 5, 3, 4), cuts=(2, 5)),
)

_SOFTMAXES = tuple(
    case(
        f"opset {opset}, axis {axis}",
        f"y = {op} <axis = {axis}> (x)",
        opset=opset,
        x=(2, 3, 4),
        cuts=(2, 3, 4),
    )
    for op in ("Softmax", "LogSoftmax", "Hardmax")
    for opset, axis in ((21, 1), (11, 1), (11, 2))
)

_POOLS = (
    case("", "y = GlobalLpPool <p = 2> (x)", x=(2, 3, 4, 4), cuts=(2, 3)),
    case("1-D", "y = MaxPool <kernel_shape = [2]> (x)", x=(2, 3, 6), cuts=(2, 3)),
    case("3-D", "y = AveragePool <kernel_shape = [2, 2, 2]> (x)", x=(2, 3, 4, 4, 4), cuts=(2, 3)),
    case("of images", "y = GridSample (x, g)", x=(2, 3, 4, 4), g=draw((2, 5, 6, 2), -1, 1), cuts=(2, 3)),
    case(
        "of volumes", "y = GridSample (x, g)", x=(2, 3, 4, 4, 4), g=draw((2, 2, 5, 6, 3), -1, 1), cuts=(2, 3)
    ),
    case(
        "of two images",
        "y = RoiAlign <output_height = 2, output_width = 2> (x, r, i)",
        x=(2, 3, 6, 6),
        r=np.array([[0, 0, 4, 4], [1, 1, 5, 5]], np.float32),
        i=ints(0, 1),
        cuts=(3,),
    ),
    case(
        "of two images",
        "y = MaxRoiPool <pooled_shape = [2, 2]> (x, r)",
        x=(2, 3, 6, 6),
        r=np.array([[0, 0, 0, 4, 4], [1, 1, 1, 5, 5]], np.float32),
        cuts=(3,),
    ),
)

CASES = (*_NORMS, *_SOFTMAXES, *_POOLS)
