"""doctor tries out what is there."""

from __future__ import annotations

import json
from typing import Any

import onnx
import pytest


def test_doctor_runs_a_session(call: Any) -> None:
    code, out, err = call("doctor --output-format json")
    assert (code, err) == (0, "")
    findings = {finding["subject"]: finding["found"] for finding in json.loads(out)["findings"]}
    assert findings["ort:cpu"] == "runs"
    assert findings["onnx"] == onnx.__version__


def test_doctor_exits_with_4_where_a_required_backend_does_not_run(call: Any) -> None:
    import onnxruntime as ort

    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this machine has the provider")
    code, out, err = call("doctor --require ort:cuda")
    assert code == 4
    assert "ort:cuda" in out
    assert err.startswith("error: ort:cuda")
