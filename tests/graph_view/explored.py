"""What Model Explorer makes of models and of node data, as JSON on stdout; run with it on the path.

Usage: explored.py MODEL... [--data FILE...]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def nodes(path: str) -> dict[str, dict[str, list[str]]]:
    """Graph id -> node id -> the tensors that the node makes, by the adapter's own reading."""
    from model_explorer_onnx.main import ONNXAdapter  # type: ignore[import-not-found]

    found: dict[str, dict[str, list[str]]] = {}
    for graph in ONNXAdapter().convert(path, {})["graphs"]:
        found[graph.id] = {
            node.id: [
                attribute.value
                for item in node.outputsMetadata
                for attribute in item.attrs
                if attribute.key == "__tensor_tag"
            ]
            for node in graph.nodes
        }
    return found


def data(path: str) -> dict[str, Any]:
    """Graph id -> the node data that its own dataclasses, read strictly, hold."""
    from dacite import Config, from_dict  # type: ignore[import-not-found]
    from model_explorer.node_data_builder import (  # type: ignore[import-not-found]
        GraphNodeData,
        ModelNodeData,
    )

    given = json.loads(Path(path).read_text(encoding="utf-8"))
    # The dataclasses say numbers; what shows them takes texts, too (their comments and its source say so).
    texts = any(
        isinstance(each["value"], str) for graph in given.values() for each in graph["results"].values()
    )
    config = Config(strict=True, check_types=not texts)
    model = ModelNodeData({key: from_dict(GraphNodeData, value, config) for key, value in given.items()})
    read: dict[str, Any] = json.loads(model.to_json_string())
    return read


def main(arguments: list[str]) -> None:
    at = arguments.index("--data") if "--data" in arguments else len(arguments)
    models, files = arguments[:at], arguments[at + 1 :]
    print(json.dumps({"models": [nodes(path) for path in models], "data": [data(path) for path in files]}))


if __name__ == "__main__":
    main(sys.argv[1:])
