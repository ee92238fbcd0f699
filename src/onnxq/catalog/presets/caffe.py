"""GoogLeNet, AlexNet, SqueezeNet and others from Caffe."""

from onnxq.core.preprocess import Preprocess, Preset

CAFFE = Preset(
    "caffe",
    "Caffe's classifiers: 224x224 from the centre, BGR, 0 to 255 less the mean of ImageNet, NCHW",
    Preprocess(resize=(256, 256), crop=224, color="bgr", mean=(104.0, 117.0, 123.0)),
    "BVLC/caffe, models/bvlc_googlenet/train_val.prototxt: crop_size and mean_value; "
    "examples/imagenet/create_imagenet.sh: 256x256",
)
