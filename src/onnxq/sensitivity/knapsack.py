"""Which groups to leave in float at the least cost, if noise adds up: a mixed-integer linear program."""

from __future__ import annotations

import numpy as np

from onnxq.errors import RecipeError
from onnxq.sensitivity.noise import NoiseModel, cost

NODES = 20_000
"""Where the solver stops to look for something better, so that it always ends, and always with the same result."""

TOO_LOUD = 2.0
"""What is louder than the limit must be in float, however much louder: huge coefficients would cost precision."""

GAP = 1e-3
"""How far from the optimum it may end, as a share of it."""


def check_solver() -> None:
    """Checks that there is one.

    Raises:
        RecipeError: SciPy is not installed.
    """
    try:
        import scipy.optimize  # noqa: F401, PLC0415 - an extra, and slow to import
    except ImportError as cause:
        raise RecipeError("The search for a budget needs SciPy: pip install 'onnxq[search]'.") from cause


def cheapest(model: NoiseModel, sqnr: float) -> frozenset[str]:
    """The names of the groups to leave in float so that the noise model promises an SQNR at every output.

    min  sum of cost[g] (1 - int8[g])
    s.t. int8[g] <= heard[o] for each origin o that g reads,  sum of power[o] heard[o] <= limit at each output

    Args:
        model: of the noise.
        sqnr: in dB, for the worst output.

    Raises:
        RecipeError: SciPy, which solves it, is not installed.
    """
    check_solver()
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415
    from scipy.sparse import csr_array  # noqa: PLC0415

    groups, origins = model.groups, model.origins
    columns = {group.name: column for column, group in enumerate(groups)}
    reads = [(columns[name], o) for o, origin in enumerate(origins) for name in sorted(origin.readers)]
    rows = np.arange(len(reads)).repeat(2)
    variables = np.array([(group, len(groups) + o) for group, o in reads]).ravel()
    hears = csr_array((np.tile([1.0, -1.0], len(reads)), (rows, variables)), (len(reads), len(groups) + len(origins)))
    part = np.minimum(model.powers.T / 10 ** (-sqnr / 10), TOO_LOUD)
    noise = np.hstack([np.zeros((len(part), len(groups))), part])
    costs = np.array([cost(group) for group in groups], np.float64)
    solved = milp(
        np.concatenate([-costs / max(1.0, costs.sum()), np.zeros(len(origins))]),
        integrality=np.concatenate([np.ones(len(groups)), np.zeros(len(origins))]),
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(hears, -np.inf, 0), LinearConstraint(noise, -np.inf, 1)],
        options={"node_limit": NODES, "mip_rel_gap": GAP},
    )
    chosen = np.zeros(len(groups)) if solved.x is None else solved.x[: len(groups)]
    return frozenset(group.name for group, int8 in zip(groups, chosen, strict=True) if int8 < 0.5)
