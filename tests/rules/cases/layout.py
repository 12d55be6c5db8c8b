"""Cases of operators that arrange elements anew."""

from __future__ import annotations

import numpy as np

from tests.rules.case import case, ints

_RESHAPES = (
    case("a split", "y = Reshape (x, s)", x=(2, 12), s=ints(2, 3, 4), cuts=(2, 3, 4)),
    case("a merge", "y = Reshape (x, s)", x=(2, 3, 4), s=ints(2, 12), cuts=(2, 3, 4)),
    case("a split and a merge", "y = Reshape (x, s)", x=(2, 3, 20), s=ints(6, 4, 5), cuts=(2, 3, 4, 5)),
    case("0 and -1", "y = Reshape (x, s)", x=(2, 3, 4, 5), s=ints(0, -1, 5), cuts=(2, 3, 4, 5)),
    case("0 for the cut axis", "y = Reshape (x, s)", x=(2, 3, 20), s=ints(0, 0, 4, 5), cuts=(2, 3, 4, 5)),
    case("-1 for a factor", "y = Reshape (x, s)", x=(2, 12), s=ints(2, -1, 4), cuts=(2, 3, 4)),
    case("ones come and go", "y = Reshape (x, s)", x=(2, 1, 3, 1), s=ints(1, 2, 3), cuts=(2, 3)),
    case("to a vector", "y = Reshape (x, s)", x=(2, 3), s=ints(-1), cuts=(2, 3)),
    case("factors that do not divide", "y = Reshape (x, s)", x=(5, 4, 6), s=ints(5, 6, 4), cuts=(5,)),
    case(
        "allowzero without a zero",
        "y = Reshape <allowzero = 1> (x, s)",
        x=(2, 12),
        s=ints(2, 3, 4),
        cuts=(2, 3, 4),
    ),
    case("", "y = Flatten <axis = 2> (x)", x=(2, 3, 4, 5), cuts=(2, 3, 4, 5)),
    case("from axis 0", "y = Flatten <axis = 0> (x)", x=(2, 3), cuts=(2, 3)),
    case("from the last axis", "y = Flatten <axis = -1> (x)", x=(2, 3, 4), cuts=(2, 3, 4)),
)

_PERMUTATIONS = (
    case("", "y = Transpose <perm = [2, 0, 1]> (x)", x=(2, 3, 4), cuts=(2, 3, 4)),
    case("reversed", "y = Transpose (x)", x=(2, 3, 4), cuts=(2, 3, 4)),
    case("every axis of size 1", "y = Squeeze (x)", x=(1, 3, 1, 4), cuts=(3, 4)),
    case("an axis", "y = Squeeze (x, a)", x=(1, 3, 1, 4), a=ints(-2), cuts=(3, 4)),
    case("axes as an attribute", "y = Squeeze <axes = [0]> (x)", opset=11, x=(1, 3, 4), cuts=(3, 4)),
    case("two axes", "y = Unsqueeze (x, a)", x=(3, 4), a=ints(-1, 1), cuts=(3, 4)),
    case("axes as an attribute", "y = Unsqueeze <axes = [0, 3]> (x)", opset=11, x=(3, 4), cuts=(3, 4)),
    case("DCR", "y = DepthToSpace <blocksize = 2> (x)", x=(2, 12, 3, 4), cuts=(2, 3)),
    case("CRD", 'y = DepthToSpace <blocksize = 2, mode = "CRD"> (x)', x=(2, 12, 3, 4), cuts=(2, 3)),
    case("", "y = SpaceToDepth <blocksize = 2> (x)", x=(2, 3, 4, 6), cuts=(2, 3)),
    case(
        "a channel shuffle",
        "a = Reshape (x, s) b = Transpose <perm = [0, 2, 1, 3]> (a) y = Reshape (b, t)",
        of="Transpose",
        x=(2, 12, 5),
        s=ints(2, 3, 4, 5),
        t=ints(2, -1, 5),
        cuts=(2, 3, 4, 5),
    ),
)

_REPETITIONS = (
    case("of an axis of size 1", "y = Expand (x, s)", x=(3, 1, 4), s=ints(3, 5, 4), cuts=(3, 4)),
    case("new axes in front", "y = Expand (x, s)", x=(3, 1), s=ints(2, 3, 4), cuts=(3,)),
    case("ones keep what is there", "y = Expand (x, s)", x=(2, 3, 4), s=ints(1, 4), cuts=(2, 3, 4)),
    case(
        "groups of shared heads",
        "a = Expand (x, s) b = Reshape (a, t) y = MatMul (b, w)",
        of="Expand",
        x=(2, 1, 3, 4),
        s=ints(2, 5, 3, 4),
        t=ints(10, 3, 4),
        w=(10, 4, 6),
        cuts=(2, 3, 4, 5, 6),
    ),
    case(
        "added to a weight",
        "c = ConstantOfShape (s) y = Add (c, w)",
        of="ConstantOfShape",
        s=ints(2, 3, 4),
        w=(3, 4),
        cuts=(3, 4),
    ),
    case(
        "joined to a weight",
        "c = ConstantOfShape (s) y = Concat <axis = 1> (w, c)",
        of="ConstantOfShape",
        s=ints(2, 3, 4),
        w=(2, 5, 4),
        cuts=(2, 4, 5),
    ),
    case("of rows", "y = Tile (x, r)", x=(2, 3, 4), r=ints(5, 1, 1), cuts=(2, 3, 4)),
    case("of channels", "y = Tile (x, r)", x=(2, 3, 4), r=ints(1, 2, 1), cuts=(2, 3, 4)),
    case(
        "of channels, meeting a weight",
        "a = Tile (x, r) y = MatMul (a, w)",
        of="Tile",
        x=(2, 3),
        r=ints(1, 4),
        w=(12, 5),
        cuts=(2, 3, 4, 5),
    ),
)

_RESIZES = (
    case("scales", "y = Resize (x, , s)", x=(2, 3, 4, 4), s=np.array([1, 1, 2, 2], np.float32), cuts=(2, 3)),
    case(
        "scales that are put together",
        "c = Concat <axis = 0> (s, t) y = Resize (x, , c)",
        of="Resize",
        x=(2, 3, 4, 4),
        s=np.array([1, 1], np.float32),
        t=np.array([2, 2], np.float32),
        cuts=(2, 3),
    ),
    case("sizes", 'y = Resize <mode = "linear"> (x, , , s)', x=(2, 3, 4, 4), s=ints(2, 3, 7, 6), cuts=(2, 3)),
    case(
        "sizes of some axes",
        "y = Resize <axes = [2, 3]> (x, , , s)",
        x=(2, 3, 4, 4),
        s=ints(7, 6),
        cuts=(2, 3),
    ),
    case(
        "sizes of the channels as well",
        "y = Resize <axes = [1, 2]> (x, , , s)",
        x=(2, 3, 4, 5),
        s=ints(3, 6),
        cuts=(2, 3, 5),
    ),
    case(
        "scales of some axes",
        "y = Resize <axes = [3, 2]> (x, , s)",
        x=(2, 3, 4, 5),
        s=np.array([2, 2], np.float32),
        cuts=(2, 3),
    ),
    case(
        "a scale that keeps a size and moves its positions",
        'y = Resize <mode = "linear"> (x, , s)',
        x=(2, 3, 4, 5),
        s=np.array([1, 1, 1.2, 1], np.float32),
        cuts=(2, 3, 5),
    ),
    case(
        "scales, opset 10",
        "y = Resize (x, s)",
        opset=10,
        x=(2, 3, 4, 4),
        s=np.array([1, 1, 2, 1.2], np.float32),
        cuts=(2, 3),
    ),
    case(
        "scales as an attribute",
        "y = Upsample <scales = [1.0, 1.0, 1.2, 2.0]> (x)",
        opset=8,
        x=(2, 3, 4, 4),
        cuts=(2, 3),
    ),
    case(
        "scales",
        "y = Upsample (x, s)",
        opset=9,
        x=(2, 3, 4, 4),
        s=np.array([1, 1, 2, 2], np.float32),
        cuts=(2, 3),
    ),
)

CASES = (*_RESHAPES, *_PERMUTATIONS, *_REPETITIONS, *_RESIZES)
