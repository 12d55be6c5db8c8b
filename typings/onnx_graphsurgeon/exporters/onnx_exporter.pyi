from collections.abc import Mapping
from typing import Any

from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto
from onnx_graphsurgeon import Constant, Graph, Node, Tensor

class OnnxExporter:
    @staticmethod
    def export_tensor_proto(tensor: Constant) -> TensorProto: ...
    @staticmethod
    def export_value_info_proto(tensor: Tensor, do_type_check: bool) -> ValueInfoProto: ...
    @staticmethod
    def export_attributes(attrs: Mapping[str, Any]) -> list[AttributeProto]: ...
    @staticmethod
    def export_node(node: Node) -> NodeProto: ...
    @staticmethod
    def export_graph(graph: Graph, do_type_check: bool = True) -> GraphProto: ...
