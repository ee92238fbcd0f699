"""Serves an INT8 model over HTTP with ONNX Runtime on a CPU.

The digits model that comes with onnxq is quantized for ONNX Runtime's integer kernels (`target="onnxruntime"`), a
server answers one image per request, and a client sends it 50 images it has not been calibrated on. Run it from the
repository with

    pip install .
    python examples/onnxruntime_serving.py

It writes `digits.cpu.onnx` into the current folder, and ends by itself.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import onnxruntime

import onnxq

MODELS = Path(__file__).parents[1] / "models"
UNSEEN = np.load(MODELS / "digits_eval.npz")


def quantized() -> str:
    """Where the INT8 model is: made at deployment, not by the server."""
    recipe = onnxq.Recipe(target="onnxruntime")
    result = onnxq.quantize(MODELS / "digits_resnet.onnx", MODELS / "digits_calib.npz", recipe)
    onnxq.save(result.model, "digits.cpu.onnx")
    return "digits.cpu.onnx"


class Digits(BaseHTTPRequestHandler):
    """POST 64 float32 pixels, from 0 to 1; the answer is the digit."""

    session = onnxruntime.InferenceSession(quantized())  # one for all requests: it may run in many threads at a time

    def do_POST(self) -> None:
        pixels = np.frombuffer(self.rfile.read(int(self.headers["Content-Length"])), np.float32)
        (logits,) = self.session.run(["logits"], {"image": pixels.reshape(1, 1, 8, 8)})
        answer = json.dumps({"digit": int(logits.argmax())}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


def main() -> None:
    """Serves, asks, and counts the right answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Digits)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    right = 0
    for image, digit in zip(UNSEEN["image"][:50], UNSEEN["label"][:50], strict=True):
        with urlopen(f"http://127.0.0.1:{server.server_port}", image.tobytes()) as answer:
            right += json.load(answer)["digit"] == digit
    server.shutdown()
    server.server_close()
    print(f"{right} of 50 images were read right")


if __name__ == "__main__":
    main()
