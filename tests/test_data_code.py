"""Code that fails, or yields what does not fit, is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphprune.data import open_data
from tests.data_sources import BY_TWO, graph
from tests.refused_data import refusal

IMAGE = "g (float[batch, 3, 4, 4] input) => (float[batch, 3, 4, 4] y) { y = Relu(input) }"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def load_data(:\n", "data.py, line 2: SyntaxError"),
        ("import nowhere_to_be_found\n", "data.py, line 2: ModuleNotFoundError: No module named"),
        ("raise SystemExit(0)\n", "data.py, line 2: SystemExit: 0"),
        ("def loaddata():\n    return []\n", "no function load_data"),
        ("load_data = 3\n", "no function load_data"),
        ("def load_data(path):\n    return []\n", "TypeError: load_data() missing 1 required"),
        ("def load_data():\n    raise OSError('disk\\nfull')\n", "data.py, line 3: OSError: disk full"),
        (
            "def load_data():\n    yield {'input': X}\n    check(0)\ndef check(n):\n    return 1 / n\n",
            "data.py, line 6: ZeroDivisionError: division by zero",
        ),
        ("def load_data():\n    return 3\n", "returned int"),
        ("def load_data():\n    return {'input': X}\n", "returned dict"),
        ("def load_data():\n    return iter([])\n", "yields no samples"),
        ("def load_data():\n    yield {'input': X[:0]}\n", "yields no samples"),
        ("def load_data():\n    yield X\n", "item 0 is a ndarray, no feed"),
        ("def load_data():\n    yield {'input': X}\n    yield None\n", "item 1 is a NoneType, no feed"),
        ("def load_data():\n    yield {'input': X}, 1, 2\n", "item 0 is a tuple, no feed"),
        ("def load_data():\n    yield {'input': [[1, 2], [3]]}\n", "item 0: input is no array"),
        ("def load_data():\n    yield {'input': None}\n", "holds Python objects"),
        ("def load_data():\n    yield {'input': X[:, :1]}\n", "input is 8x1x4x4"),
        ("def load_data():\n    yield {'input': X}\n    yield {'input': X * np.nan}\n", "sample 8 of input"),
        ("def load_data():\n    yield {'input': X}, [1, 2]\n", "differ: samples 8, targets 2"),
        ("def load_data():\n    yield {'input': X}, 1\n", "one target is given for 8 samples"),
        ("def load_data():\n    yield {'input': X}, 'a' * 8\n", "one target is given"),
        ("def load_data():\n    yield {'input': X[:1]}, 'cat'\n", "the labels are str"),
        ("def load_data():\n    yield {'input': X[0]}, {'a': 1}\n", "holds|labels are object"),
        (
            "def load_data():\n    yield {'input': X}, np.arange(8)\n    yield {'input': X}\n",
            "some samples have labels",
        ),
    ],
)
def test_code_that_fails_is_named_with_its_line(tmp_path: Path, body: str, message: str) -> None:
    lines = f"import numpy as np; X = np.zeros((8, 3, 4, 4))\n{body}"
    (tmp_path / "data.py").write_text(lines)
    error = refusal(str(tmp_path / "data.py"), IMAGE)
    assert error.code == 2
    assert any(part in error.what for part in message.split("|")), error.what


def test_samples_of_a_function_that_do_not_fill_a_batch_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(
        "import numpy as np\ndef load_data():\n    yield {'x': np.ones((3, 5))}\n"
    )
    error = refusal(str(tmp_path / "data.py"), BY_TWO)
    assert error.code == 2 and "1 are left" in error.what


def test_a_function_with_another_name_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("def load_date():\n    return []\n")
    assert refusal(str(tmp_path / "data.py"), IMAGE).hint == "did you mean load_date?"


def test_an_interrupted_function_interrupts(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("def load_data():\n    raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        open_data(str(tmp_path / "data.py"), graph(IMAGE))
