"""What is refused of a plan that somebody else made or edited."""

from __future__ import annotations

import pytest

from onnxq.core.graph import Site
from onnxq.core.spec import PerAxis, PerBlock, PerTensor, Spec
from onnxq.errors import PlanError
from onnxq.stages.plan import check_cut

SITE = Site("w", "n", 1)


@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_that_the_weight_does_not_have(axis: int) -> None:
    message = rf"^The plan cuts input 1 of 'n' \(tensor 'w'\) along axis {axis}, but the weight has shape \(2, 3\)\.$"
    with pytest.raises(PlanError, match=message):
        check_cut(SITE, Spec("int8", PerAxis(axis), "weight"), (2, 3))


def test_blocks() -> None:
    with pytest.raises(PlanError, match=r"into blocks, which 'int8' does not support\.$"):
        check_cut(SITE, Spec("int8", PerBlock(1, 2), "weight"), (2, 4))


@pytest.mark.parametrize("cut", [PerTensor(), PerAxis(0), PerAxis(-1)])
def test_what_fits_passes(cut: PerTensor | PerAxis) -> None:
    check_cut(SITE, Spec("int8", cut, "weight"), (2, 3))
