"""What can be done to a model so that it loses less: from a Case to what is Fixed, in the order of application."""

from collections.abc import Sequence

from onnxq.catalog import pick
from onnxq.catalog.fixes.adaround import AdaRound
from onnxq.catalog.fixes.analytic_bias_correction import AnalyticBiasCorrection
from onnxq.catalog.fixes.bias_correction import BiasCorrection
from onnxq.catalog.fixes.equalization import Equalization
from onnxq.catalog.fixes.first_layer import FirstLayer
from onnxq.catalog.fixes.full_range import FullRange
from onnxq.catalog.fixes.reconstruction import Reconstruction
from onnxq.catalog.fixes.second_order import SecondOrder
from onnxq.catalog.fixes.smoothquant import SmoothQuant
from onnxq.core.fix import Fix
from onnxq.core.recipe import AUTO

FIXES: tuple[Fix, ...] = (
    SmoothQuant(),
    Equalization(),
    FirstLayer(),
    FullRange(),
    SecondOrder(),
    AdaRound(),
    Reconstruction(),
    AnalyticBiasCorrection(),
    BiasCorrection(),
)


def fixes_of(asked: Sequence[str]) -> tuple[Fix, ...]:
    """The fixes of these names, in the order of application; all of them for "auto".

    Raises:
        RecipeError: there is none of some name.
    """
    if asked == AUTO:
        return FIXES
    names = [pick(FIXES, name, "fix").name for name in asked]
    return tuple(fix for fix in FIXES if fix.name in names)
