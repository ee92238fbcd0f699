"""How close two outputs are."""

from onnxq.catalog.metrics.agreement import AGREEMENT
from onnxq.catalog.metrics.cosine import COSINE
from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.catalog.metrics.top1 import TOP1
from onnxq.core.metric import Metric

METRICS: tuple[Metric, ...] = (SQNR, COSINE, TOP1, AGREEMENT)
