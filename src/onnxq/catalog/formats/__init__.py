"""How numbers can be stored."""

from onnxq.catalog.formats.int8 import INT8
from onnxq.core.format import Format

FORMATS: tuple[Format, ...] = (INT8,)
