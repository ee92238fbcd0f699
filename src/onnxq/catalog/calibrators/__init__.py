"""Which range of a tensor to keep: from TensorStatistics and a Format to a Range."""

from dataclasses import fields, is_dataclass, replace

from onnxq.catalog import pick
from onnxq.catalog.calibrators.auto import Auto
from onnxq.catalog.calibrators.entropy import Entropy
from onnxq.catalog.calibrators.max import Max
from onnxq.catalog.calibrators.mse import Mse
from onnxq.catalog.calibrators.percentile import Percentile
from onnxq.core.calibrator import Calibrator
from onnxq.errors import RecipeError

CALIBRATORS: tuple[Calibrator, ...] = (Auto(), Max(), Percentile(), Entropy(), Mse())


def calibrator_of(text: str) -> Calibrator:
    """The calibrator that `text` spells: its name, and perhaps its parameter, such as "percentile 99.9".

    Raises:
        RecipeError: there is none of that name, or it has no such parameter.
    """
    name, _, parameter = text.partition(" ")
    chosen = pick(CALIBRATORS, name, "calibrator")
    if not parameter:
        return chosen
    if not (is_dataclass(chosen) and fields(chosen)):
        raise RecipeError(f"The calibrator '{name}' has no parameter. Got '{text}'.")
    field = fields(chosen)[0].name
    try:
        return replace(chosen, **{field: float(parameter)})
    except ValueError as cause:
        raise RecipeError(f"The {field} of the calibrator '{name}' is a number. Got '{parameter}'.") from cause
