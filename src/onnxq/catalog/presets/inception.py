"""Inception, MobileNet, Xception and others from TensorFlow."""

from onnxq.core.preprocess import Preprocess, Preset

INCEPTION = Preset(
    "inception",
    "TensorFlow's Inception: 299x299, RGB, -1 to 1, NHWC; MobileNet is the same with resize=224x224",
    Preprocess(resize=(299, 299), scale=1 / 127.5, mean=(1.0,), layout="nhwc"),
    "keras.applications.imagenet_utils.preprocess_input, mode 'tf', on 299x299 as keras.applications.InceptionV3 takes",
)
