"""One node whose operator changed between two opsets, and the edits that upgrades are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxq.core.names import Names
from onnxq.errors import ModelError

Inputs = Sequence[ir.Value | None]
Attribute = int | ir.TensorProtocol


@dataclass(frozen=True)
class NodeEditor:
    """A node of the main graph, of a body or of a local function, to be edited in place.

    New constants are Constant nodes, since a local function has no initializers.
    """

    node: ir.Node
    names: Names

    def refusal(self, why: str) -> ModelError:
        """The error that says why this node cannot be upgraded."""
        return ModelError(f"{self.node.op_type} '{self.node.name}' {why}")

    def pop(self, name: str) -> ir.Attr | None:
        """Removes and returns an attribute; None if the node does not have it."""
        attribute = self.node.attributes.pop(name, None)
        if attribute is not None and attribute.is_ref():
            raise self.refusal(
                f"takes '{name}' from an attribute of its local function, which no newer opset allows. "
                "Inline the functions first: onnx.inliner.inline_local_functions(model)."
            )
        return attribute

    def set_string(self, name: str, value: str) -> None:
        """Sets a string attribute."""
        self.node.attributes[name] = ir.AttrString(name, value)

    def set_integer(self, name: str, value: int) -> None:
        """Sets an integer attribute."""
        self.node.attributes[name] = ir.AttrInt64(name, value)

    def set_input(self, index: int, value: ir.Value | None) -> None:
        """Sets an input, leaving those before it that do not exist yet empty."""
        self.node.resize_inputs(max(index + 1, len(self.node.inputs)))
        self.node.replace_input_with(index, value)

    def insert_before(self, op_type: str, inputs: Inputs, **attributes: Attribute) -> ir.Value:
        """The output of a new node in front of this one."""
        node = self._new_node(op_type, inputs, **attributes)
        self.node.prepend(node)
        return node.outputs[0]

    def insert_after(self, op_type: str, inputs: Inputs, **attributes: Attribute) -> None:
        """Puts a new node behind this one; its first input is this node's output, whose name and readers it takes."""
        inner, node = self.node.outputs[0], self._new_node(op_type, [], **attributes)
        outer = node.outputs[0]
        outer.type, outer.shape = inner.type, inner.shape
        inner.replace_all_uses_with(outer, replace_graph_outputs=True)
        inner.name, outer.name, inner.shape = outer.name, inner.name, None
        node.resize_inputs(1 + len(inputs))
        for index, value in enumerate([inner, *inputs]):
            node.replace_input_with(index, value)
        self.node.append(node)

    def constant(self, stem: str, array: np.ndarray) -> ir.Value:
        """The output of a new Constant node, named after this node and `stem`."""
        tensor = ir.tensor(array)
        value = self.insert_before("Constant", [], value=tensor)
        value.name = self.names.fresh(f"{self.node.name}_{stem}")
        value.type, value.shape = ir.TensorType(tensor.dtype), ir.Shape(array.shape)
        return value

    def constant_like_input(self, stem: str, number: float) -> ir.Value:
        """A scalar constant of the first input's type, cast at run time where that type is unknown."""
        source = self.node.inputs[0]
        if source is not None and source.dtype is not None:
            return self.constant(stem, np.asarray(number, source.dtype.numpy()))
        single = self.constant(stem, np.asarray(number, np.float32))
        return self.insert_before("CastLike", [single, source])

    def _new_node(self, op_type: str, inputs: Inputs, **attributes: Attribute) -> ir.Node:
        name = self.names.fresh(f"{self.node.name}_{op_type}")
        node = ir.node(op_type, inputs, attributes, name=name)
        node.outputs[0].name = self.names.fresh(f"{name}_output")
        return node
