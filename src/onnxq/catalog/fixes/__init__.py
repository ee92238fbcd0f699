"""What can be done to a model so that it loses less: from a Case to what is Fixed, in the order of application."""

from onnxq.catalog.fixes.adaround import AdaRound
from onnxq.catalog.fixes.bias_correction import BiasCorrection
from onnxq.catalog.fixes.full_range import FullRange
from onnxq.catalog.fixes.reconstruction import Reconstruction
from onnxq.catalog.fixes.second_order import SecondOrder
from onnxq.core.fix import Fix

FIXES: tuple[Fix, ...] = (FullRange(), SecondOrder(), AdaRound(), Reconstruction(), BiasCorrection())
