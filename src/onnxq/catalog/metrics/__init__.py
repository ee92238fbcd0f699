"""How close two outputs are."""

from onnxq.catalog.metrics.agreement import AGREEMENT
from onnxq.catalog.metrics.cosine import COSINE
from onnxq.catalog.metrics.kl import KL
from onnxq.catalog.metrics.max_error import MAX_ERROR
from onnxq.catalog.metrics.mean_error import MEAN_ERROR
from onnxq.catalog.metrics.sqnr import SQNR
from onnxq.catalog.metrics.top1 import TOP1
from onnxq.core.metric import Metric

METRICS: tuple[Metric, ...] = (SQNR, COSINE, KL, MAX_ERROR, MEAN_ERROR, TOP1, AGREEMENT)
