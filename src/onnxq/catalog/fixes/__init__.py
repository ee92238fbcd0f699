"""What can be done to a model so that it loses less: from a Case to what is Fixed, in the order of application."""

from onnxq.catalog.fixes.second_order import SECOND_ORDER
from onnxq.core.fix import Fix

FIXES: tuple[Fix, ...] = (SECOND_ORDER,)
