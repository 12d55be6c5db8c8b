"""Operators that treat every element by itself."""

from __future__ import annotations

from graphprune.rules.site import Adds, Row, Site, Table, Unruly

_UNARY = (
    "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Ceil Celu Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid "
    "HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Shrink Sigmoid "
    "Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu Cast BitCast"
)
_BINARY = (
    "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual "
    "Mod Mul Or Pow PRelu Sub Xor"
)


def _variadic(site: Site) -> str:
    return f"{', '.join(['...'] * len(site.node.inputs))} -> ..."


def _clip(site: Site) -> str:
    return f"{', '.join(['...', '-', '-'][: len(site.node.inputs)])} -> ..."


def _dropout(site: Site) -> str:
    training = site.value(2)
    if site.has(2) and (training is None or training.any()):
        raise Unruly("it draws at random")
    if site.opset < 7 and not site.attribute("is_test", 0):
        raise Unruly("it draws at random")
    return "..., -, - -> ..., ..."


TABLE: Table = {
    **{op: Row("... -> ...") for op in _UNARY.split()},
    **{op: Row("..., ... -> ...") for op in _BINARY.split()},
    **{op: Row(_variadic) for op in ("Max", "Mean", "Min")},
    "Add": Row("..., ... -> ...", adds=Adds()),
    "Sum": Row(_variadic, adds=Adds()),
    "CastLike": Row("..., - -> ..."),
    "Clip": Row(_clip),
    "Dropout": Row(_dropout),
    "Where": Row("..., ..., ... -> ..."),
}
