"""YOLO detectors since version 5."""

from onnxq.core.preprocess import Preprocess, Preset

YOLO = Preset(
    "yolo",
    "YOLO: fitted into 640x640 and filled up with gray, RGB, 0 to 1, NCHW",
    Preprocess(resize=(640, 640), letterbox=114, scale=1 / 255),
    "docs.ultralytics.com, LetterBox: padding_value 114, centred; the pixels are then divided by 255",
)
