"""INT8 quantization of ONNX models for TensorRT, from nothing but the ONNX file and sample inputs."""

from onnxq.core.budget import Budget, Choice, Outcome, Point
from onnxq.core.calibration_cache import CalibrationCache
from onnxq.core.execution import Execution
from onnxq.core.group import Group
from onnxq.core.plan import Decision, Plan
from onnxq.core.preprocess import Preprocess
from onnxq.core.ranking import Rank, Ranking
from onnxq.core.recipe import Recipe
from onnxq.core.report import Fidelity, Report
from onnxq.core.rule import Rule
from onnxq.core.samples import Samples
from onnxq.core.scales import QuantParams, Scales
from onnxq.core.selector import Condition, Selector
from onnxq.core.statistics import Statistics, TensorStatistics
from onnxq.errors import (
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
from onnxq.onnx_io import save
from onnxq.pipeline import (
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
from onnxq.sensitivity import Inquiry, quantize_within, rank

__version__ = "0.1.0"

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
