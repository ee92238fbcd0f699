"""Plans varied in a loop around the pipeline: what each group of nodes costs in accuracy, and what a budget allows."""

from onnxq.sensitivity.bench import Bench
from onnxq.sensitivity.budgeting import quantize_within
from onnxq.sensitivity.inquiry import Inquiry
from onnxq.sensitivity.ranks import rank
from onnxq.sensitivity.sheet import Scoring, Sheet

__all__ = ["Bench", "Inquiry", "Scoring", "Sheet", "quantize_within", "rank"]
