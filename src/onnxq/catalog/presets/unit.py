"""Models that take pixels from 0 to 1."""

from onnxq.core.preprocess import Preprocess, Preset

UNIT = Preset(
    "unit",
    "RGB, 0 to 1, NCHW, as large as the image is",
    Preprocess(scale=1 / 255),
    "torchvision.transforms.ToTensor; keras.layers.Rescaling(1/255) with layout=nhwc",
)
