"""What images go through, as families of models were trained."""

from onnxq.catalog.presets.caffe import CAFFE
from onnxq.catalog.presets.imagenet import IMAGENET
from onnxq.catalog.presets.inception import INCEPTION
from onnxq.catalog.presets.unit import UNIT
from onnxq.catalog.presets.yolo import YOLO
from onnxq.core.preprocess import Preset

PRESETS: tuple[Preset, ...] = (IMAGENET, INCEPTION, CAFFE, YOLO, UNIT)
