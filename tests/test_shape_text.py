"""Every spelling of a shape works, and a wrong one is refused by name."""

from __future__ import annotations

import pytest

from graphprune.errors import Usage
from graphprune.shape_text import fit_shapes, parse_shapes

IMAGE = (1, 3, 224, 224)


@pytest.mark.parametrize(
    "text",
    ["x:1x3x224x224", "x:1,3,224,224", "x:[1,3,224,224]", "x:[1, 3, 224, 224]", "x:1, 3, 224, 224"],
)
def test_every_spelling_of_one_shape_means_the_same(text: str) -> None:
    assert parse_shapes([text]) == {"x": IMAGE}


@pytest.mark.parametrize(
    "texts",
    [["x:1x3,y:5"], ["x:1x3 y:5"], ["x:1x3", "y:5"], ["x:1,3,y:5"], ["x:[1,3],y:[5]"], ["x:1", "3", "y:5"]],
)
def test_several_shapes_are_separated_by_comma_space_or_repetition(texts: list[str]) -> None:
    assert parse_shapes(texts) == {"x": (1, 3), "y": (5,)}


def test_a_name_may_hold_colons() -> None:
    assert parse_shapes(["serving:input:0:1x8"]) == {"serving:input:0": (1, 8)}


def test_a_scalar_is_written_as_empty_brackets() -> None:
    assert parse_shapes(["x:[],y:2"]) == {"x": (), "y": (2,)}


@pytest.mark.parametrize("text", ["x:axb", "x", "x:1x", "x:-1x3", "x:1.5", "1x3 2x3", "x:1x3,x:1x3"])
def test_what_is_not_a_shape_is_refused(text: str) -> None:
    with pytest.raises(Usage):
        parse_shapes([text])


def test_the_name_may_be_left_out_where_the_model_has_one_input() -> None:
    assert fit_shapes({"": IMAGE}, {"x": ("batch", 3, None, None)}) == {"x": IMAGE}
    with pytest.raises(Usage, match="2 inputs: x, y"):
        fit_shapes({"": IMAGE}, {"x": (1,), "y": (1,)})


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"picture": (1, 3)}, "no input picture"),
        ({"x": (1, 3)}, "does not fit input x"),
        ({"x": (1, 4, 8)}, "which is batchx3x[?]"),
        ({"x": (0, 3, 8)}, "empty dimension"),
    ],
    ids=["unknown input", "another rank", "a fixed size", "nothing"],
)
def test_a_shape_that_does_not_fit_the_model_is_refused(
    shape: dict[str, tuple[int, ...]], message: str
) -> None:
    with pytest.raises(Usage, match=message):
        fit_shapes(shape, {"x": ("batch", 3, None)})
