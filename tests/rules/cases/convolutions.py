"""Cases of convolutions."""

from __future__ import annotations

from tests.rules.case import case, draw, ints

CASES = (
    case("plain", "y = Conv (x, w)", x=(2, 3, 7, 7), w=(4, 3, 3, 3), cuts=(2, 3, 4)),
    case("with a bias", "y = Conv (x, w, b)", x=(2, 3, 7, 7), w=(4, 3, 3, 3), b=(4,), cuts=(2, 3, 4)),
    case("1-D", "y = Conv <pads = [1, 1]> (x, w, b)", x=(2, 3, 7), w=(4, 3, 3), b=(4,), cuts=(2, 3, 4)),
    case("3-D", "y = Conv (x, w, b)", x=(2, 3, 4, 5, 6), w=(4, 3, 2, 2, 2), b=(4,), cuts=(2, 3, 4)),
    case(
        "grouped",
        "y = Conv <group = 4> (x, w, b)",
        x=(2, 12, 5, 5),
        w=(20, 3, 3, 3),
        b=(20,),
        cuts=(2, 3, 4, 5),
    ),
    case("depthwise", "y = Conv <group = 6> (x, w, b)", x=(2, 6, 5, 5), w=(6, 1, 3, 3), b=(6,), cuts=(2, 6)),
    case(
        "depthwise, 3 outputs each",
        "y = Conv <group = 4> (x, w)",
        x=(2, 4, 5, 5),
        w=(12, 1, 3, 3),
        cuts=(2, 3, 4),
    ),
    case(
        "plain",
        "y = ConvTranspose <strides = [2, 2]> (x, w, b)",
        x=(2, 3, 4, 4),
        w=(3, 5, 3, 3),
        b=(5,),
        cuts=(2, 3, 5),
    ),
    case(
        "grouped",
        "y = ConvTranspose <group = 4> (x, w, b)",
        x=(2, 12, 4, 4),
        w=(12, 5, 3, 3),
        b=(20,),
        cuts=(2, 3, 4, 5),
    ),
    case("1-D", "y = ConvTranspose (x, w)", x=(2, 3, 4), w=(3, 5, 3), cuts=(2, 3, 5)),
    case(
        "the weight alone is constant",
        "i = Identity (x) y = Conv <group = 4> (i, w, b)",
        of="Conv",
        x=(2, 12, 5, 5),
        w=(20, 3, 3, 3),
        b=(20,),
        cuts=(2, 3, 4, 5),
    ),
    case(
        "with a mask",
        "y = DeformConv <kernel_shape = [2, 2]> (x, w, o, b, m)",
        x=(2, 3, 4, 4),
        w=(5, 3, 2, 2),
        o=draw((2, 8, 3, 3), -0.5, 0.5),
        b=(5,),
        m=draw((2, 4, 3, 3), 0, 1),
        cuts=(2, 3, 5),
    ),
    case(
        "grouped",
        "y = DeformConv <kernel_shape = [2, 2], group = 2> (x, w, o)",
        x=(2, 6, 4, 4),
        w=(10, 3, 2, 2),
        o=draw((2, 8, 3, 3), -0.5, 0.5),
        cuts=(2, 2, 3, 5),
    ),
    case(
        "blocks of 2 x 3",
        "y = Col2Im (x, s, k)",
        x=(2, 24, 12),
        s=ints(4, 6),
        k=ints(2, 3),
        cuts=(2, 4),
    ),
)
