"""Operators that sum over axes: convolutions, matrix products, einsum."""

from __future__ import annotations

import re

from graphprune.rules.site import Row, Site, Table, Unruly, attribute_from, named, text


def _transposed_convolution(site: Site) -> str:
    return f"n (g i) *, (g i) o *, (g o) -> n (g o) * | g={int(site.attribute('group', 1))}"


def convolution(site: Site) -> str:
    """Return the rule of a convolution; a fourth operand is added to the result.

    A single filter may slide over features that stand in the place of pixels, as in efficient channel
    attention (Wang et al. 2020). It sees those that are left as neighbours. Other axes that windows slide
    over stay.
    """
    groups = int(site.attribute("group", 1))
    pixels, result, edges = "*", "*", ""
    if site.sizes(1)[0] == 1:
        found = [_slid(site, dim) for dim in range(len(site.sizes(0)) - 2)]
        pixels, result = (
            " ".join(words) for words in ([each[0] for each in found], [each[1] for each in found])
        )
        edges = "".join(each[2] for each in found)
    added = f"n (g o) {result}"
    return f"n (g i) {pixels}, (g o) i *, (g o), {added} -> {added} | g={groups}{edges}"


def _slid(site: Site, dim: int) -> tuple[str, str, str]:
    """Return the words for an axis that a single filter slides over: before, after, and its edges' sizes."""
    window = (site.sizes(1)[2 + dim] - 1) * (site.numbers("dilations") or [1] * (dim + 1))[dim]
    size, after = site.sizes(0)[2 + dim], site.output()[2 + dim]
    first = 0
    if str(site.attribute("auto_pad", "NOTSET")) not in ("SAME_UPPER", "SAME_LOWER"):
        pads = site.numbers("pads")
        first = window // 2 - (pads[dim] if pads else 0)
    strides = site.numbers("strides")
    last = size - after - first
    if (strides and strides[dim] != 1) or first < 0 or last < 0:
        return "_", "_", ""
    name = f"x{dim}"
    parts = [*([f"p{name}_"] if first else []), f"{name}^", *([f"q{name}_"] if last else [])]
    sizes = {f"p{name}": first, name: after, f"q{name}": last}
    known = "".join(f" {key}={value}" for key, value in sizes.items() if value and len(parts) > 1)
    return f"({' + '.join(parts)})" if len(parts) > 1 else parts[0], f"{name}^", known


def matrix_product(site: Site) -> str:
    """Return the rule of numpy's matmul for the ranks at hand."""
    left, right = len(site.sizes(0)), len(site.sizes(1))
    if not left or not right:
        raise Unruly("an operand is a scalar")
    if left == 1 and right == 1:
        return "k, k -> "
    if left == 1:
        return "k, ... k n -> ... n"
    if right == 1:
        return "... m k, k -> ... m"
    return "... m k, ... k n -> ... m n"


def _gemm(site: Site) -> str:
    a = "k m" if site.attribute("transA", 0) else "m k"
    b = "n k" if site.attribute("transB", 0) else "k n"
    operands = [a, b]
    if site.has(2):
        rows, columns = site.output(0)
        sizes = site.sizes(2)
        names = [("m", rows), ("n", columns)][2 - len(sizes) :]
        operands.append(
            " ".join(name if size == full else "1" for (name, full), size in zip(names, sizes, strict=True))
        )
    return text(operands, ["m n"])


def _einsum(site: Site) -> str:
    equation = str(site.attribute("equation")).replace(" ", "")
    left, arrow, right = equation.partition("->")
    operands = left.split(",")
    if not arrow:
        letters = re.findall("[A-Za-z]", left)
        once = sorted(letter for letter in set(letters) if letters.count(letter) == 1)
        right = ("..." if "..." in left else "") + "".join(once)
    for operand in [*operands, right]:
        letters = re.findall("[A-Za-z]", operand)
        if len(letters) != len(set(letters)):
            raise Unruly("an index appears twice in one operand")

    def spaced(operand: str) -> list[str]:
        return re.findall(r"\.\.\.|[A-Za-z]", operand)

    if "..." in left and "..." not in right:
        raise Unruly("it sums over an ellipsis")
    return text([spaced(operand) for operand in operands], [spaced(right)])


def _matmul_integer(site: Site) -> str:
    rule, points = matrix_product(site), ["-", "-"]
    for at, slot in enumerate((2, 3)):
        if not site.has(slot) or site.sizes(slot) in ((), (1,)):
            continue
        # Columns have points of their own in a stack of products as well, rows in a single one.
        of = site.sizes(1)[-1:] if slot == 3 else site.output()[:1] if len(site.output()) == 2 else ()
        if len(site.sizes(1)) < 2 or site.sizes(slot) != of:
            raise Unruly("it has a zero point per row or column")
        points[at] = "mn"[at]
    return rule.replace(" ->", f", {points[0]}, {points[1]} ->", 1)


def _qlinear_matmul(site: Site) -> str:
    if any(site.sizes(slot) not in ((), (1,)) for slot in (1, 2, 6, 7)):
        raise Unruly("it has a scale per row")
    columns = ["n" if site.sizes(slot) not in ((), (1,)) else "-" for slot in (4, 5)]
    if len(site.sizes(3)) < 2:
        raise Unruly("its second operand is a vector")
    return f"... m k, -, -, ... k n, {columns[0]}, {columns[1]}, -, - -> ... m n"


def _qlinear_conv(site: Site) -> str:
    per_channel = ["-" if site.sizes(slot) in ((), (1,)) else "(g o)" for slot in (4, 5)]
    return (
        f"n (g i) *, -, -, (g o) i *, {per_channel[0]}, {per_channel[1]}, -, -, (g o) -> n (g o) * "
        f"| g={int(site.attribute('group', 1))}"
    )


def _conv_integer(site: Site) -> str:
    per_channel = "(g o)" if site.has(3) and site.sizes(3) not in ((), (1,)) else "-"
    return f"n (g i) *, (g o) i *, -, {per_channel} -> n (g o) * | g={int(site.attribute('group', 1))}"


def _deform_conv(site: Site) -> str:
    if int(site.attribute("offset_group", 1)) != 1:
        raise Unruly("its channels are divided into offset groups")
    return f"n (g i) *, (g o) i *, n _ *, (g o), n _ * -> n (g o) * | g={int(site.attribute('group', 1))}"


def _col2im(site: Site) -> str:
    block = site.integers(2, "block sizes")
    size = 1
    for item in block:
        size *= item
    return f"n (c {size}) _, _, _ -> n c *"


def _quantized(site: Site) -> str:
    """Rule of QuantizeLinear and DequantizeLinear: per tensor, per axis, or in blocks of one axis."""
    rank = len(site.sizes(0))
    parameters = 1 + site.has(2)
    scale = site.sizes(1)
    if scale in ((), (1,)):
        return text(["...", *["-"] * parameters], ["..."])
    axis = site.axis(1)
    dims = named(rank)
    if len(scale) == 1:
        if any(site.sizes(1 + slot) != (site.sizes(0)[axis],) for slot in range(parameters)):
            raise Unruly("it has not one scale for each position of its axis")
        return text([dims, *[[dims[axis]]] * parameters], [dims])
    block = int(site.attribute("block_size", 0)) or -(-site.sizes(0)[axis] // scale[axis])
    blocked = [f"({name} {block})" if index == axis else name for index, name in enumerate(dims)]
    return text([blocked, *[dims] * parameters], [blocked])


TABLE: Table = {
    "Conv": Row(convolution, attribute_from(group="g"), why="a window slides over it"),
    "ConvTranspose": Row(_transposed_convolution, attribute_from(group="g"), why="a window slides over it"),
    "ConvInteger": Row(
        _conv_integer, attribute_from(group="g"), zeros={0: 2, 1: 3}, why="a window slides over it"
    ),
    "QLinearConv": Row(
        _qlinear_conv, attribute_from(group="g"), zeros={0: 2, 3: 5}, why="a window slides over it"
    ),
    "DeformConv": Row(_deform_conv, attribute_from(group="g"), why="a window slides over it"),
    "MatMul": Row(matrix_product),
    "MatMulInteger": Row(_matmul_integer, zeros={0: 2, 1: 3}),
    "QLinearMatMul": Row(_qlinear_matmul, zeros={0: 2, 3: 5}),
    "Gemm": Row(_gemm),
    "Einsum": Row(_einsum),
    "Col2Im": Row(_col2im, why="a window slides over it"),
    "QuantizeLinear": Row(_quantized, why="its scales are shared in blocks"),
    "DequantizeLinear": Row(_quantized, why="its scales are shared in blocks"),
    "DynamicQuantizeLinear": Row("*! -> *!, -, -"),
}
