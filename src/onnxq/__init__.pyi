"""INT8 quantization of ONNX models for TensorRT, from nothing but the ONNX file and sample inputs."""

from .core.budget import Budget, Choice, Outcome, Point
from .core.calibration_cache import CalibrationCache
from .core.execution import Execution
from .core.group import Group
from .core.plan import Decision, Plan
from .core.preprocess import Preprocess
from .core.ranking import Rank, Ranking
from .core.recipe import Recipe
from .core.report import Fidelity, Report
from .core.rule import Rule
from .core.samples import Samples
from .core.scales import QuantParams, Scales
from .core.selector import Condition, Selector
from .core.statistics import Statistics, TensorStatistics
from .errors import (
    BudgetError,
    DataError,
    InputError,
    ModelError,
    OnnxqError,
    OutputError,
    PlanError,
    PrepareError,
    RecipeError,
    RuntimeFailure,
    StageError,
    VerifyError,
)
from .onnx_io import save
from .pipeline import (
    Checkpoint,
    Result,
    calibrate,
    load_calibration_cache,
    load_recipe,
    load_statistics,
    quantize,
    save_recipe,
    save_statistics,
)
from .sensitivity import Inquiry, quantize_within, rank

__version__: str

__all__ = [
    # the main job
    "quantize",
    "quantize_within",
    "calibrate",
    "rank",
    "save",
    "Recipe",
    "Rule",
    "Selector",
    "Condition",
    "load_recipe",
    "save_recipe",
    "Execution",
    "Samples",
    "Preprocess",
    "Result",
    "Budget",
    "Outcome",
    "Point",
    "Choice",
    "Inquiry",
    "Ranking",
    # what was measured before
    "Checkpoint",
    "save_statistics",
    "load_statistics",
    "CalibrationCache",
    "load_calibration_cache",
    # what travels between the stages
    "Decision",
    "Plan",
    "QuantParams",
    "Scales",
    "Statistics",
    "TensorStatistics",
    "Fidelity",
    "Group",
    "Rank",
    "Report",
    # errors
    "OnnxqError",
    "InputError",
    "BudgetError",
    "DataError",
    "ModelError",
    "OutputError",
    "PlanError",
    "RecipeError",
    "StageError",
    "PrepareError",
    "RuntimeFailure",
    "VerifyError",
]
