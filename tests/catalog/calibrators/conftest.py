"""What the tests of calibrators share: distributions as activations and weights have them."""

from __future__ import annotations

import numpy as np
import pytest

from onnxq.core.tally import measured as of

RNG = np.random.default_rng(0)
GATED = RNG.normal(size=20_000)
SMOOTH = {
    "normal": RNG.normal(size=20_000),
    "laplace": RNG.laplace(size=20_000),
    "relu": np.maximum(RNG.normal(size=20_000), 0),
    "uniform": RNG.uniform(-1, 1, 20_000),
    "lognormal": RNG.lognormal(sigma=1.5, size=20_000),
    "skewed": RNG.normal(size=20_000) - 3,
    "outlier": np.append(RNG.normal(size=20_000), 40.0),
    "tiny": RNG.normal(size=20_000) * 1e-20,
    "huge": RNG.normal(size=20_000) * 1e20,
    "gelu": GATED / (1 + np.exp(-1.702 * GATED)),
}
ODD = {
    "zeros": np.zeros(100),
    "one zero": np.zeros(1),
    "one value": np.array([0.3]),
    "one negative value": np.array([-0.3]),
    "constant": np.full(1000, 7.7),
    "two values": np.array([-1.0, 1.0] * 500),
    "binary": np.array([0.0, 1.0] * 500),
    "sixteenths": RNG.integers(0, 17, 10_000) / 16,
    "bytes": RNG.integers(0, 256, 10_000) / 255,
    "zeros and one": np.append(np.zeros(10_000), 1.0),
    "power of two": np.array([0.25, 0.5, 1.0, 2.0]),
    "denormal": np.array([1e-45, 3e-45]),
    "below all widths": np.array([1e-310, 5e-324]),
    "largest": np.array([3.4e38, -1.0]),
    "nothing": np.zeros(0),
}


@pytest.fixture
def distributions():
    """The smooth ones by name."""
    return SMOOTH


@pytest.fixture(params=SMOOTH, ids=str)
def smooth(request):
    """Values in float64 that float32 can hold, and their statistics."""
    values = SMOOTH[request.param].astype(np.float32).astype(np.float64)
    return values, of(values)


@pytest.fixture(params=[*SMOOTH, *ODD], ids=str)
def anything(request):
    """The same, with all that may break an algorithm besides."""
    values = {**SMOOTH, **ODD}[request.param].astype(np.float64)
    return values, of(values)
