"""Which range of a tensor to keep: from TensorStatistics and a Format to a Range."""

from onnxq.catalog.calibrators.auto import Auto
from onnxq.catalog.calibrators.entropy import Entropy
from onnxq.catalog.calibrators.max import Max
from onnxq.catalog.calibrators.mse import Mse
from onnxq.catalog.calibrators.percentile import Percentile
from onnxq.core.calibrator import Calibrator

CALIBRATORS: tuple[Calibrator, ...] = (Auto(), Max(), Percentile(), Entropy(), Mse())
