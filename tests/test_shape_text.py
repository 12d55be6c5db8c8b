"""Every spelling of a shape works, and a wrong one is refused by name."""

from __future__ import annotations

import pytest

from graphprune.errors import Usage
from graphprune.shape_text import fit_shapes, parse_shapes, said

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
    ],
    ids=["unknown input", "another rank", "a fixed size"],
)
def test_a_shape_that_does_not_fit_the_model_is_refused(
    shape: dict[str, tuple[int, ...]], message: str
) -> None:
    with pytest.raises(Usage, match=message):
        fit_shapes(shape, {"x": ("batch", 3, None)})


DECODER = {
    "ids": ("batch", "new"),
    "mask": ("batch", "past + new"),
    "past.0.key": ("batch", 2, "past", 8),
    "past.0.value": ("batch", 2, "past", 8),
}


def test_a_symbol_has_a_size_wherever_it_occurs() -> None:
    given = fit_shapes(parse_shapes(["past=0", "new=3,batch=2"]), DECODER)
    assert given.symbols == {"past": 0, "new": 3, "batch": 2}
    assert given["mask"] == (2, 3)
    assert given["past.0.key"] == (2, 2, 0, 8)


def test_inputs_of_which_a_symbol_is_still_open_have_no_shape() -> None:
    given = fit_shapes(parse_shapes(["past=7"]), DECODER)
    assert given == {}
    assert said(given).symbols == {"past": 7}
    assert given


def test_a_pattern_stands_for_all_inputs_that_it_fits() -> None:
    assert fit_shapes(parse_shapes(["past.*:1x2x0x8"]), DECODER) == {
        "past.0.key": (1, 2, 0, 8),
        "past.0.value": (1, 2, 0, 8),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pasd=7", "no input has a dimension pasd"),
        ("future.*:1x2", "no input future"),
        ("past.*:1x3x0x8", "does not fit input past.0.key"),
    ],
)
def test_a_size_that_fits_no_axis_is_refused(text: str, message: str) -> None:
    with pytest.raises(Usage, match=message):
        fit_shapes(parse_shapes([text]), DECODER)


def test_two_sizes_of_one_symbol_are_refused() -> None:
    with pytest.raises(Usage, match="two sizes are given for past"):
        parse_shapes(["past=7 past=8"])
