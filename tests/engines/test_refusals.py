"""What TensorRT says when it fails becomes an error of the right kind, in words."""

from __future__ import annotations

import pytest

from graphprune.engines.job import Failed, Fault
from graphprune.engines.refusals import ended, refusal
from graphprune.errors import Environment, Refused, Usage
from graphprune.model import from_proto
from tests.engines.networks import network

MODEL = from_proto(network("residual"))
NO_MEMORY = (
    "[myelinResourceManager.cpp::virtual void* MyelinHostBuffer::allocate()::206] "
    "Error Code 2: OutOfMemory (Requested size was 536871295 bytes.)"
)
NO_DRIVER = (
    "IBuilder::buildSerializedNetwork: Error Code 1: Cuda Runtime (In generateForCurrent at "
    "/_src/runtime/core/cudaDeviceProfile.cpp:221 (cudaError 35: CUDA driver version is insufficient for "
    "CUDA runtime version))"
)
NO_TYPE = (
    "IBuilder::buildSerializedNetwork: Error Code 1: Myelin ([pass.cpp:1500: run_passes] Cannot compile for "
    "target(s) sm80, because the model contains HW-specific datatypes: fp8_e4m3. In compileGraph at "
    "/_src/optimizer/myelin/codeGenerator.cpp:2012)"
)
BUSY = "Cuda Runtime (all CUDA-capable devices are busy or unavailable)"


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        (NO_MEMORY, Environment, "memory ran out while T built the model: OutOfMemory .Requested size"),
        ("std::bad_alloc", Environment, "memory ran out"),
        (NO_DRIVER, Environment, "T needs a GPU for this: .*driver version is insufficient"),
        (BUSY, Environment, "the GPU is busy"),
        (NO_TYPE, Refused, "^T does not build the model: Cannot compile for target.s. sm80, .*: fp8_e4m3"),
        ("", Refused, "it does not say why"),
    ],
    ids=["memory", "allocation", "driver", "busy", "type", "nothing"],
)
def test_an_error_of_the_build_has_a_kind(text: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as error:
        raise refusal(Failed("build", text), "T", MODEL)
    assert "_src" not in str(error.value)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(1, "", "Conv", "UNSUPPORTED_NODE", "false"), "Conv 'b': the operator is not supported"),
        (Fault(1, "", "Other", "UNSUPPORTED_NODE", "false"), "Other: the operator is not supported"),
        (Fault(9, "n", "Det", "UNSUPPORTED_NODE_ATTR", "a == 1"), "Det 'n': an attribute is not supported"),
        (Fault(0, "n", "Foo", "INVALID_NODE", 'c && "Plugin not found."'), "Foo 'n': Plugin not found."),
        (Fault(0, "n", "Foo", "INTERNAL_ERROR", "no way"), "Foo 'n': no way"),
        (Fault(-1, "", "", "INVALID_GRAPH", "no way"), "the graph: no way"),
    ],
)
def test_a_node_is_named_with_what_the_parser_has_against_it(fault: Fault, words: str) -> None:
    error = refusal(Failed("parse", "", faults=[fault]), "T", MODEL)
    assert isinstance(error, Refused)
    assert error.what == f"T refuses a node: {words}"


def test_memory_that_runs_out_while_parsing_is_no_fault_of_the_model() -> None:
    fault = Fault(-1, "", "", "INTERNAL_ERROR", "std::bad_alloc")
    assert isinstance(refusal(Failed("parse", "std::bad_alloc", faults=[fault]), "T", MODEL), Environment)


def test_many_nodes_are_counted() -> None:
    faults = [Fault(n, f"n{n}", "Det", "UNSUPPORTED_NODE", "false") for n in range(9)]
    what = refusal(Failed("parse", "", faults=faults), "T", MODEL).what
    assert what.startswith("T refuses 9 nodes: Det 'n0'") and what.endswith("and 5 more")


def test_an_option_that_the_version_lacks_is_wrong_usage() -> None:
    assert isinstance(refusal(Failed("usage", "no --strip"), "T", MODEL), Usage)


@pytest.mark.parametrize(("status", "kind"), [(-9, Environment), (-11, Refused), (-6, Refused), (1, Refused)])
def test_a_process_that_ends_without_a_word_was_killed_or_crashed(status: int, kind: type[Exception]) -> None:
    assert type(ended(status, "T")) is kind
