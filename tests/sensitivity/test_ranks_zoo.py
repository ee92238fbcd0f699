"""Real models: variants measured together have the figures of whole models."""

from __future__ import annotations

import pytest
from tests.conftest import ZOO
from tests.sensitivity.conftest import Case
from tests.sensitivity.test_bench import ALL, assert_alike, whole
from tests.zoo import preprocess


@pytest.mark.zoo
@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar10_cct", "face_rfb320", "yunet_n_320", "silero_vad_16k"])
def test_figures_are_those_of_whole_models(name):
    calib, evaluation = (list(preprocess().feeds(name, split, 4)) for split in ("calib", "eval"))
    case = Case.of(ZOO / "models" / f"{name}.onnx", calib, evaluation)
    groups = case.groups[:: max(1, len(case.groups) // 4)]
    variants = [case.full(), *case.alone(groups), *case.without(groups)]
    for variant, found in zip(variants, case.bench().measure(variants, case.source, ALL), strict=True):
        assert_alike(found, whole(case, variant))
