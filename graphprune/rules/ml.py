"""Operators of ai.onnx.ml, to which scikit-learn's pipelines are exported.

Their weights are lists in attributes, one entry for each feature, and no cut reaches them: features keep
their number, rows are free. Trees and the like have no row: nothing is ever cut of them.
"""

from __future__ import annotations

from onnx import TensorProto

from graphprune.rules.site import Row, RuleOf, Site, Table, Unruly

_FLOAT = int(TensorProto.FLOAT)
_INSIDE = "its attributes have entries for each feature"


def _by_feature(*attributes: str) -> RuleOf:
    """Return the rule of an operator that has entries for each feature, or one for all, in attributes."""

    def rule(site: Site) -> str:
        if max(len(site.attribute(name) or ()) for name in attributes) <= 1:
            return "... -> ..."
        return f"{_rows(site)}c_ -> {_rows(site)}c"

    return rule


def _rows(site: Site) -> str:
    rank = len(site.sizes(0))
    if rank not in (1, 2):
        raise Unruly("it takes a vector or a matrix of features")
    return "n " if rank == 2 else ""


def _normalizer(site: Site) -> str:
    return f"{_rows(site)}c! -> {_rows(site)}c"


def _array_extractor(site: Site) -> str:
    """Rule of ArrayFeatureExtractor: entries of the last axis by numbers; a vector becomes a row."""
    many = site.sizes(1)[-1]
    return f"_, * -> 1 {many}" if len(site.sizes(0)) == 1 else f"... _, * -> ... {many}"


def _regressor(site: Site) -> str:
    return f"{_rows(site)}_ -> {_rows(site) or '1 '}{int(site.attribute('targets', 1))}"


def _classifier(site: Site) -> str:
    return f"{_rows(site)}_ -> {_rows(site) or '1'}, {_rows(site) or '1 '}*"


TABLE: Table = {
    "ArrayFeatureExtractor": Row(_array_extractor, why="entries are picked from it by numbers"),
    "Binarizer": Row("... -> ..."),
    "Imputer": Row(_by_feature("imputed_value_floats", "imputed_value_int64s"), why=_INSIDE),
    "LinearClassifier": Row(_classifier, why=_INSIDE),
    "LinearRegressor": Row(_regressor, why=_INSIDE, elements={0: _FLOAT}),
    "Normalizer": Row(_normalizer, elements={0: _FLOAT}),
    "Scaler": Row(_by_feature("offset", "scale"), why=_INSIDE, elements={0: _FLOAT}),
}
