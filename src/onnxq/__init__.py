"""INT8 quantization of ONNX models for TensorRT, from nothing but the ONNX file and sample inputs."""

from onnxq.core.plan import Decision, Plan
from onnxq.core.recipe import Recipe, Selector
from onnxq.core.report import Fidelity, Report
from onnxq.core.scales import QuantParams, Scales
from onnxq.core.statistics import Statistics, TensorStatistics
from onnxq.errors import (
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
from onnxq.pipeline import Result, quantize

__version__ = "0.1.0"

__all__ = [
    # the main job
    "quantize",
    "save",
    "Recipe",
    "Selector",
    "Result",
    # what travels between the stages
    "Decision",
    "Plan",
    "QuantParams",
    "Scales",
    "Statistics",
    "TensorStatistics",
    "Fidelity",
    "Report",
    # errors
    "OnnxqError",
    "InputError",
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
