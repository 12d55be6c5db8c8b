"""Make `import torchvision` work beside a torch that its compiled operators do not fit.

torchvision's wheel carries C++ operators for one build of torch (with CUDA). Beside a CPU build they do
not load, and the import then fails, because torchvision describes the shapes of `nms` and `qnms`
without asking whether they exist. Classification models use neither, so a schema without a kernel will do.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def declare() -> Any:
    """Declare what is missing; to be called before `import torchvision`.

    Returns the `torch.library.Library`, which has to be kept alive, or None where torchvision's own
    operators load and nothing needs declaring.
    """
    spec = find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("torchvision is not installed")
    torch: Any = import_module("torch")
    try:
        torch.ops.load_library(str(Path(spec.submodule_search_locations[0], "_C.so")))
    except OSError:
        library = torch.library.Library("torchvision", "DEF")
        for schema in SCHEMAS:
            library.define(schema)
        return library
    return None
