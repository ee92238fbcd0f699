"""What a machine lacks is skipped, unless it was promised."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

ZOO = Path(os.environ.get("ONNXQ_ZOO", "/nonexistent"))
HAS = {
    "browser": shutil.which("chromedriver") is not None and importlib.util.find_spec("selenium") is not None,
    "docs": importlib.util.find_spec("mkdocstrings") is not None,
    "tensorrt": importlib.util.find_spec("tensorrt_rtx") is not None,
    "zoo": (ZOO / "models").is_dir(),
}
FIX = {
    "browser": "apt-get install chromium chromium-driver; pip install selenium",
    "docs": "pip install 'onnxq[docs]'",
    "tensorrt": "pip install 'onnxq[rtx]'",
    "zoo": "set ONNXQ_ZOO to the folder of the model zoo",
}


def pytest_configure(config: pytest.Config) -> None:
    """ONNXQ_REQUIRE_TENSORRT=1, ONNXQ_REQUIRE_ZOO=1 and ONNXQ_REQUIRE_BROWSER=1 promise that nothing is skipped."""
    for what, present in HAS.items():
        if not present and os.environ.get(f"ONNXQ_REQUIRE_{what.upper()}") == "1":
            pytest.exit(f"ONNXQ_REQUIRE_{what.upper()}=1, but it is missing: {FIX[what]}", returncode=1)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for what, present in HAS.items():
        if not present and item.get_closest_marker(what):
            pytest.skip(f"needs {what}: {FIX[what]}")
