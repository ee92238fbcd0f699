"""What is quantized or left in float together."""

from __future__ import annotations

from dataclasses import dataclass

from onnxq.core.graph import Site


@dataclass(frozen=True)
class Group:
    """Nodes that one kernel computes, or several such kernels that are looked at together.

    Attributes:
        name: of the node that the first kernel is built around.
        op: the operator of that node.
        nodes: the names of all its nodes, in graph order.
        sites: its edges that the plan quantizes.
        macs: multiply-accumulates for one sample; 0 where shapes are unknown.
        bytes: what its kernels read and write in FP32 for one sample.
    """

    name: str
    op: str
    nodes: tuple[str, ...]
    sites: tuple[Site, ...]
    macs: int
    bytes: int

    def to_json(self) -> dict[str, object]:
        """The group as plain data."""
        return {"name": self.name, "op": self.op, "nodes": self.nodes, "macs": self.macs, "bytes": self.bytes}
