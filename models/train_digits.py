"""Train the small residual CNN of this folder on scikit-learn's UCI digits and export it to ONNX, BatchNorm unfolded.

Writes, next to this file or into the folder given as the only argument:

* ``digits_resnet.onnx``: the FP32 model, free batch size, ``image`` [N, 1, 8, 8] -> ``logits`` [N, 10];
* ``digits_calib.npz``: ``image``, the calibration inputs;
* ``digits_eval.npz``: ``image`` and ``label``, the evaluation inputs, used for nothing but the final accuracy.

Run: ``pip install torch scikit-learn onnx onnxruntime && python models/train_digits.py`` (half a minute on one core).
Seeds, thread count and algorithms are fixed: one machine with one set of package versions makes the same files again.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

SEED = 0
TRAIN, CALIB = 1100, 192  # the remaining 505 images are the evaluation split
EPOCHS, BATCH, PEAK_LR = 60, 50, 3e-3


class Block(nn.Module):
    """ResNet basic block; a 1x1 Conv + BatchNorm shortcut where the shape changes, the identity elsewhere."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        stride = 1 if cin == cout else 2
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.relu2 = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if cin != cout:
            self.shortcut = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(y + self.shortcut(x))


class DigitsResNet(nn.Module):
    """Stem, four residual blocks (16, 32, 32, 64 channels), global average pooling, one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.blocks = nn.Sequential(Block(16, 16), Block(16, 32), Block(32, 32), Block(32, 64))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.flatten(self.pool(self.blocks(self.stem(x)))))


def splits() -> tuple[np.ndarray, ...]:
    """Return train images, train labels, calibration images, evaluation images, evaluation labels."""
    flat, label = load_digits(return_X_y=True)
    image = (flat / 16).astype(np.float32).reshape(-1, 1, 8, 8)  # the pixels are counts from 0 to 16
    label = label.astype(np.int64)
    train_x, rest_x, train_y, rest_y = train_test_split(
        image, label, train_size=TRAIN, stratify=label, random_state=SEED
    )
    calib_x, eval_x, _, eval_y = train_test_split(rest_x, rest_y, train_size=CALIB, stratify=rest_y, random_state=SEED)
    return train_x, train_y, calib_x, eval_x, eval_y


def shifted(images: Tensor) -> Tensor:
    """Shift every image by -1, 0 or 1 pixel along each axis, filling with zeros."""
    padded = nn.functional.pad(images, (1, 1, 1, 1))
    corners = torch.randint(0, 3, (len(images), 2)).tolist()
    return torch.stack([p[:, r : r + 8, c : c + 8] for p, (r, c) in zip(padded, corners, strict=True)])


def train(images: Tensor, labels: Tensor) -> DigitsResNet:
    """Train for a fixed number of epochs; nothing is selected on held-out data."""
    model = DigitsResNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_LR, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for epoch in range(EPOCHS):
        total = 0.0
        for batch in torch.randperm(len(images)).split(BATCH):
            loss = nn.functional.cross_entropy(model(shifted(images[batch])), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        schedule.step()
        print(f"epoch {epoch + 1:2d}  training loss {total / len(images):.4f}")
    return model.eval()


def export(model: DigitsResNet, path: Path) -> None:
    """Export in evaluation mode, yet without the folding of BatchNorm into Conv that the exporter does by default."""
    torch.onnx.export(
        model,
        (torch.zeros(1, 1, 8, 8),),
        path,
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}},
        opset_version=17,
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
        dynamo=False,
    )
    onnx.checker.check_model(onnx.load(path), full_check=True)


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    train_x, train_y, calib_x, eval_x, eval_y = splits()
    model = train(torch.from_numpy(train_x), torch.from_numpy(train_y))
    export(model, folder / "digits_resnet.onnx")
    np.savez_compressed(folder / "digits_calib.npz", image=calib_x)
    np.savez_compressed(folder / "digits_eval.npz", image=eval_x, label=eval_y)
    session = ort.InferenceSession(folder / "digits_resnet.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"image": eval_x})
    right = int((logits.argmax(1) == eval_y).sum())
    print(f"evaluation accuracy: {right} of {len(eval_y)} ({right / len(eval_y):.2%})")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
