"""Cases of operators of ai.onnx.ml."""

from __future__ import annotations

import numpy as np

from tests.rules.case import case, whole

CASES = (
    case(
        "with entries for each feature",
        "y = ai.onnx.ml.Scaler <offset = [0.1, 0.2, 0.3, 0.4], scale = [1.0, 2.0, 0.5, 1.5]> (x)",
        x=(3, 4),
        cuts=(3,),
    ),
    case(
        "of a vector", "y = ai.onnx.ml.Scaler <offset = [0.1, 0.2], scale = [1.0, 2.0]> (x)", x=(2,), cuts=()
    ),
    case(
        "with one entry", "y = ai.onnx.ml.Scaler <offset = [0.1], scale = [2.0]> (x)", x=(3, 4), cuts=(3, 4)
    ),
    case(
        "of integers",
        "y = ai.onnx.ml.Scaler <offset = [0.1], scale = [2.0]> (x)",
        x=whole((3, 4), 0, 9, np.int64),
        cuts=(3, 4),
    ),
    case("by the largest", 'y = ai.onnx.ml.Normalizer <norm = "MAX"> (x)', x=(3, 4), cuts=(3, 4)),
    case("by the sum", 'y = ai.onnx.ml.Normalizer <norm = "L1"> (x)', x=(3, 4), cuts=(3, 4)),
    case("by the length", 'y = ai.onnx.ml.Normalizer <norm = "L2"> (x)', x=(3, 4), cuts=(3, 4)),
    case(
        "with entries for each feature",
        "y = ai.onnx.ml.Imputer <imputed_value_floats = [1.0, 2.0, 3.0, 4.0]> (x)",
        x=(3, 4),
        cuts=(3,),
    ),
    case(
        "with one entry",
        "y = ai.onnx.ml.Imputer <imputed_value_floats = [1.0], replaced_value_float = 0.0> (x)",
        x=(3, 4),
        cuts=(3, 4),
    ),
    case("", "y = ai.onnx.ml.Binarizer <threshold = 0.5> (x)", x=(3, 4), cuts=(3, 4)),
    case(
        "",
        "y = ai.onnx.ml.ArrayFeatureExtractor (x, i)",
        x=(2, 3, 4),
        i=whole((2,), 0, 3, np.int64),
        cuts=(2, 3),
    ),
    case(
        "of a vector",
        "y = ai.onnx.ml.ArrayFeatureExtractor (x, i)",
        x=(4,),
        i=whole((2,), 0, 3, np.int64),
        cuts=(),
    ),
    case(
        "of two targets",
        "y = ai.onnx.ml.LinearRegressor <coefficients = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], "
        "intercepts = [0.0, 1.0], targets = 2> (x)",
        x=(3, 4),
        cuts=(3,),
    ),
    case(
        "of three classes",
        "l, y = ai.onnx.ml.LinearClassifier <coefficients = [0.1, -0.2, 0.3, 0.4, 0.5, -0.6, 0.7, 0.8, "
        "-0.9], intercepts = [0.0, 0.1, 0.2], classlabels_ints = [0, 1, 2]> (x)",
        outputs="int64 l, float y",
        x=(4, 3),
        cuts=(4,),
    ),
)
