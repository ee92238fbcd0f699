"""How numbers can be stored."""

from onnxq.catalog.formats.int8 import INT8
from onnxq.catalog.formats.uint8 import UINT8
from onnxq.core.format import Format

FORMATS: tuple[Format, ...] = (INT8, UINT8)
FORMATS_BY_NAME = {stored.name: stored for stored in FORMATS}
