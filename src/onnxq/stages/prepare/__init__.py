"""The stage that makes any FP32 model fit for planning: same outputs, fewer things to know.

After `prepare` every node has a name, weights and other constants are initializers, the opset is new enough for
Q/DQ, shapes are known where they can be, and BatchNormalization is part of the convolution before it.
"""

from __future__ import annotations

import onnx
import onnx_ir as ir

from onnxq.errors import ModelError, PrepareError
from onnxq.stages.prepare.contract import NORMAL, Context, Evaluate, Note, Pass, Prepared
from onnxq.stages.prepare.fold_batchnorm import fold_batchnorm
from onnxq.stages.prepare.fold_constants import fold_constants
from onnxq.stages.prepare.import_opset import import_opset
from onnxq.stages.prepare.infer_shapes import infer_shapes
from onnxq.stages.prepare.lift_constants import lift_constants
from onnxq.stages.prepare.name_nodes import name_nodes
from onnxq.stages.prepare.remove_identities import remove_identities
from onnxq.stages.prepare.remove_weight_inputs import remove_weight_inputs
from onnxq.stages.prepare.upgrade_opset import upgrade_opset

__all__ = ["PASSES", "Context", "Evaluate", "Note", "Pass", "Prepared", "prepare"]

_INFER_SHAPES = Pass("infer_shapes", "values have a type or shape that was unknown", infer_shapes)
_LIFT_CONSTANTS = Pass("lift_constants", "Constant nodes became initializers", lift_constants)
_FOLD_CONSTANTS = Pass("fold_constants", "nodes with constant inputs were replaced by their results", fold_constants)

PASSES: tuple[Pass, ...] = (
    Pass("name_nodes", "nodes without a name of their own got one", name_nodes),
    Pass("import_opset", "the import of the ai.onnx domain was added or respelt", import_opset),
    Pass("remove_weight_inputs", "weights among the graph inputs became plain initializers", remove_weight_inputs),
    _LIFT_CONSTANTS,
    _INFER_SHAPES,  # a Shape node folds when its input's shape is known
    _FOLD_CONSTANTS,
    _INFER_SHAPES,  # upgrades ask for types and ranks, which need the shapes that Reshape was given
    Pass("upgrade_opset", "nodes whose operator has changed were rewritten for a newer opset", upgrade_opset),
    _LIFT_CONSTANTS,  # what used to be attributes
    Pass("remove_identities", "Identity and Dropout nodes were removed", remove_identities),
    _INFER_SHAPES,
    _FOLD_CONSTANTS,
    Pass("fold_batchnorm", "BatchNormalization nodes were folded into the weights before them", fold_batchnorm),
    _INFER_SHAPES,
)


def prepare(model: onnx.ModelProto, evaluate: Evaluate, opset: int = 19) -> Prepared:
    """Runs all PASSES, in their order, on a copy of `model`.

    Args:
        model: Any ONNX model with its weights loaded; not modified.
        evaluate: Runs a model that has no inputs; used to fold constants.
        opset: The ai.onnx opset that the result imports at least.

    Raises:
        ModelError: The model is none that can be prepared; the message says what to change.
        PrepareError: A pass failed, most likely because the model is invalid.
    """
    ir_model = _read(model)
    context = Context(evaluate, opset)
    counts = dict.fromkeys(PASSES, 0)
    for step in PASSES:
        try:
            counts[step] += step.run(ir_model, context)
        except ModelError as cause:
            raise ModelError(f"{step.name}: {cause}") from cause
        except (LookupError, RuntimeError, TypeError, ValueError) as cause:
            hint = "The model may be invalid: try onnx.checker.check_model(model, full_check=True)."
            raise PrepareError(f"{step.name} failed: {cause!r}. {hint}") from cause
    changed = tuple(Note(step.name, count, step.text) for step, count in counts.items() if count)
    prepared = ir.to_proto(ir_model)
    prepared.training_info.extend(model.training_info)
    intact = tuple(note for note in _notes_on_what_stays(ir_model) if note.count)
    values = (value for node in ir_model.graph for value in node.outputs if NORMAL in value.meta)
    return Prepared(prepared, changed, intact, {value.name or "": value.meta[NORMAL] for value in values})


def _read(model: onnx.ModelProto) -> ir.Model:
    if model.graph.sparse_initializer:
        name = model.graph.sparse_initializer[0].values.name
        raise ModelError(f"Weight '{name}' is a sparse initializer. Store it dense.")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)  # an ir.Model shares the tensors of its proto, and renames some
    try:
        ir_model = ir.from_proto(copy)
    except ir.serde.SerdeError as cause:
        raise ModelError(f"The model cannot be read: {_root(cause)}. Check it with onnx.checker.") from cause
    for value in ir_model.graph.initializers.values():
        if isinstance(value.const_value, ir.ExternalTensor):
            raise ModelError(
                f"Weight '{value.name}' is still in the file '{value.const_value.location}'. "
                "Load it first: onnx.load(path) or onnx.load_external_data_for_model(model, folder)."
            )
    return ir_model


def _root(error: BaseException) -> BaseException:
    """What an error was raised from in the first place; onnx_ir wraps it once for each nested graph."""
    return error if error.__cause__ is None else _root(error.__cause__)


def _notes_on_what_stays(model: ir.Model) -> list[Note]:
    bodies = sum(1 for _ in model.graph.subgraphs()) + len(model.functions)
    foreign = sum(node.domain != "" for node in model.graph)
    shapeless = sum(value.shape is None for node in model.graph for value in node.outputs if value.name)
    return [
        Note("bodies", bodies, "bodies of If, Loop and Scan, and local functions, are not quantized"),
        Note("custom_nodes", foreign, "nodes of other domains are left as they are"),
        Note("unknown_shapes", shapeless, "values have no shape that inference could find"),
    ]
