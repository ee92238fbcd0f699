"""What TensorRT for RTX says of a model, as JSON: `verdict.py MODEL.onnx`."""

import json
import sys
from pathlib import Path

from onnxq.errors import RuntimeFailure
from onnxq.runtimes.tensorrt import compile_ahead_of_time, compute_nodes, int8_nodes


def judge(model: Path) -> dict[str, object]:
    """Whether it is accepted, why not, how many of its computes read INT8, and bytes moved between kernels."""
    try:
        plan = compile_ahead_of_time(model.read_bytes())
    except RuntimeFailure as failure:
        return {"accepted": False, "refusal": str(failure)}
    return {
        "accepted": True,
        "int8": len(int8_nodes(plan)),
        "computes": len(compute_nodes(plan)),
        "moved_bytes": sum(plan.moved_bytes.values()),
    }


if __name__ == "__main__":
    print(json.dumps(judge(Path(sys.argv[1]))))
