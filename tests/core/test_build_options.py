"""Shapes as people write them."""

import pytest

from onnxq.core.build_options import Profile
from onnxq.errors import RecipeError


@pytest.mark.parametrize(
    ("text", "name", "profile"),
    [
        ("x:8x3", "x", Profile((8, 3), (8, 3), (8, 3))),
        ("x:1x3:8x3:32x3", "x", Profile((1, 3), (8, 3), (32, 3))),
        ("tower/x:0:8x3", "tower/x:0", Profile((8, 3), (8, 3), (8, 3))),
        ("x:0:1:2:4", "x:0", Profile((1,), (2,), (4,))),
    ],
)
def test_a_name_and_one_shape_or_three(text, name, profile):
    assert Profile.from_text(text) == (name, profile)


@pytest.mark.parametrize("text", ["x", "x:", ":8x3", "x:1x3:8x3", "x:8,3", "x:axb", ""])
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(
        RecipeError, match=f"^'{text}' names no shapes. Give them as INPUT:MIN:OPT:MAX, such as image:1x"
    ):
        Profile.from_text(text)


@pytest.mark.parametrize("text", ["x:8:2:9", "x:1:9:8", "x:1x2:1:1x2"])
def test_shapes_grow(text):
    with pytest.raises(RecipeError, match="must grow from smallest to largest"):
        Profile.from_text(text)


def test_a_size_of_0_is_refused():
    with pytest.raises(RecipeError, match=r"The shape \(0, 3\) has a size of 0\. Give sizes of 1 and more"):
        Profile.from_text("x:0x3")


def test_an_input_has_one_profile():
    assert list(Profile.from_texts(["x:1", "y:2"])) == ["x", "y"]
    with pytest.raises(RecipeError, match=r"--shapes names the input 'x' twice\. Give all its shapes at once"):
        Profile.from_texts(["x:1", "x:2"])
