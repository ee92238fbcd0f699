"""torchvision's and timm's classifiers."""

from onnxq.core.preprocess import Preprocess, Preset

IMAGENET = Preset(
    "imagenet",
    "torchvision's classifiers: 224x224 from the centre, RGB, less the mean of ImageNet, by its deviation, NCHW",
    Preprocess(resize=256, crop=224, scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "torchvision, transforms/_presets.py, ImageClassification; e.g. ResNet50_Weights.IMAGENET1K_V1.transforms()",
)
