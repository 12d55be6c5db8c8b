"""What it means that a build has failed: the node that the parser refuses, memory, the GPU, or the model."""

from __future__ import annotations

import re
import signal

from graphprune.engines.job import Failed, Fault
from graphprune.errors import Environment, GraphpruneError, Refused, Usage
from graphprune.ir import label
from graphprune.model import Model

_SHOWN = 4
_WORDS = {
    "UNSUPPORTED_NODE": "the operator is not supported",
    "UNSUPPORTED_NODE_ATTR": "an attribute is not supported",
    "UNSUPPORTED_NODE_INPUT": "an input is not supported",
    "UNSUPPORTED_NODE_DATATYPE": "the element type is not supported",
    "UNSUPPORTED_NODE_DYNAMIC": "a size that depends on data is not supported",
    "UNSUPPORTED_NODE_SHAPE": "the shape is not supported",
    "INVALID_NODE": "the node is not valid",
}
_MEMORY = re.compile(
    r"out ?of ?memory|bad_alloc|could not be allocated|cudaErrorMemoryAllocation|"
    r"myelin_tensor\.h:\d+: CHECK\(p\)",  # what its compiler makes of a null pointer
    re.IGNORECASE,
)
_NO_GPU = re.compile(
    r"cudaError (35|100|999|3)\b|CUDA driver version is insufficient|no CUDA-capable|CUDA_SUCCESS|"
    r"CUDA initialization failure",
    re.IGNORECASE,
)
_BUSY = re.compile(r"cudaError 46\b|busy or unavailable", re.IGNORECASE)


def refusal(failed: Failed, title: str, model: Model) -> GraphpruneError:
    """Return the error that a failed build of `model` is; `title` names the library."""
    text = failed.text.strip()
    if failed.kind == "usage":
        return Usage(f"{title}: {text.splitlines()[0]}", failed.hint)
    surroundings = _surroundings(text, title)
    if surroundings is not None:
        return surroundings
    if failed.kind == "environment":
        return Environment(_plain(text), failed.hint)
    if failed.faults:
        return _unparsed(failed.faults, title, model)
    hint = "give more with --workspace" if "workspace" in text else "-v shows all that it says"
    return Refused(f"{title} does not build the model: {_plain(text)}", failed.hint or hint)


def ended(status: int, title: str) -> GraphpruneError:
    """Return the error that it is when the building process ends without a word, with an exit status."""
    name = signal.Signals(-status).name if -status in set(signal.Signals) else f"exit status {status}"
    if name in ("SIGKILL", "SIGTERM"):
        return Environment(
            f"the build with {title} was killed ({name})",
            "memory has probably run out: use a machine with more",
        )
    return Refused(
        f"{title} crashed while it built the model ({name})", "another version of it may build the model"
    )


def _surroundings(text: str, title: str) -> Environment | None:
    if _MEMORY.search(text):
        return Environment(
            f"memory ran out while {title} built the model: {_plain(text)}",
            "free memory, on the GPU too, or give less with --workspace",
        )
    if _BUSY.search(text):
        return Environment(f"the GPU is busy: {_plain(text)}", "wait for the others, or choose another --gpu")
    if _NO_GPU.search(text):
        return Environment(
            f"{title} needs a GPU for this: {_plain(text)}", "`nvidia-smi` shows whether there is one"
        )
    return None


def _unparsed(faults: list[Fault], title: str, model: Model) -> Refused:
    shown = "; ".join(f"{_place(fault, model)}: {_reason(fault)}" for fault in faults[:_SHOWN])
    more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    nodes = "a node" if len(faults) == 1 else f"{len(faults)} nodes"
    return Refused(
        f"{title} refuses {nodes}: {shown}{more}", "export the model without them, or use another backend"
    )


def _place(fault: Fault, model: Model) -> str:
    nodes = model.graph.nodes
    if not fault.name and 0 <= fault.node < len(nodes) and nodes[fault.node].op == fault.operator:
        return label(nodes[fault.node])
    return f"{fault.operator or 'node'} '{fault.name}'" if fault.name else fault.operator or "the graph"


def _reason(fault: Fault) -> str:
    """What the parser says, out of the condition in C++ that it quotes."""
    quoted = re.search(r'"([^"]{8,})"', fault.text)
    if quoted:
        return quoted[1]
    said = _WORDS.get(fault.code, "")
    code = fault.text in ("", "false") or re.search(r"&&|\|\||==|!=|\w\(", fault.text) is not None
    return said if said and code else _plain(fault.text) or said


def _plain(text: str) -> str:
    """The last error in one line, without the place in TensorRT's own sources."""
    lines = [line for line in text.splitlines() if line.strip()]
    line = next((line for line in reversed(lines) if "catchCudaError" not in line), "it does not say why")
    line = re.sub(r"\[\w+\.\w+:\d+: \w+\] ?|\[\w+\.cpp::.*?::\d+\] ?", "", line)
    line = re.sub(r"^I?\w+::\w+: |Error Code \d+: (Myelin )?|\s*In \w+ at /\S+?\d+(?=[\s)]|$)", "", line)
    return line.strip().strip("()").strip()[:300] or "it does not say why"
