"""A user's metric is called as it says, and one that fails is named with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphprune.errors import GraphpruneError, Usage
from graphprune.metrics import Kind, Score, open_metric

A = [[3.0, 1, 0], [0, 2, 1], [0, 0, 5], [1, 0, 0]]
B = [[3.0, 4, 0], [0, 2, 1], [0, 0, 5], [0, 1, 0]]

COUNTER = """
class metric:
    n = s = 0
    def update(self, a, b, y):
        self.n += len(y)
        self.s += (b[0].argmax(1) == y).sum()
    def value(self):
        return self.s / self.n
"""


def user_metric(folder: Path, body: str, name: str = "") -> Kind:
    (folder / "own.py").write_text(f"import numpy as np\n{body}")
    return open_metric(str(folder / "own.py") + (f":{name}" if name else ""))


def seen(kind: Kind, size: int = 3) -> Score:
    count = kind.start(0)
    for at in range(0, 4, size):
        part = slice(at, at + size)
        count.update([np.array(A)[part]], [np.array(B)[part]], np.array([0, 1, 2, 1])[part])
    return count.value()


@pytest.mark.parametrize("size", [1, 3, 4])
@pytest.mark.parametrize(
    "body",
    [
        "def metric(a, b, y):\n    return (b[0].argmax(1) == y)\n",
        "def metric(a, b, y):\n    return float((b[0].argmax(1) == y).mean())\n",
        COUNTER,
    ],
    ids=["a number a sample", "a number a batch", "a class"],
)
def test_a_user_s_metric_is_the_mean_over_samples_or_what_its_class_says(
    tmp_path: Path, body: str, size: int
) -> None:
    found = seen(user_metric(tmp_path, body), size)
    assert (found.value, found.count) == (pytest.approx(0.75), 4)


def test_a_user_s_metric_says_what_it_needs_and_what_is_better(tmp_path: Path) -> None:
    body = '''def error(a, b, y):
    """Mean error.

    More."""
    return 1.5
error.higher_is_better = False
error.needs_labels = True
'''
    kind = user_metric(tmp_path, body, "error")
    assert (kind.needs_labels, kind.higher_is_better, kind.help) == (True, False, "Mean error.")
    with pytest.raises(Usage, match="needs labels"):
        kind.start(0).update([np.ones((1, 2))], [np.ones((1, 2))], None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def metric(a, b, y):\n    return a[7]\n", "own.py, line 3: IndexError: list index"),
        ("def metric(a, b, y):\n    return 'good'\n", "returned a str"),
        ("def metric(a, b, y):\n    return [1, 2]\n", "returned .2. numbers for 3 samples"),
        ("def metrik(a, b, y):\n    return 1\n", "no function metric"),
        ("class metric:\n    def update(self, a, b, y): pass\n", "no method value"),
        ("class metric:\n    def __init__(self, k): pass\n    update = value = print\n", "TypeError"),
        (
            "class metric:\n    def update(self, a, b, y): pass\n    def value(self): return [1, 2]\n",
            "returned .2. numbers",
        ),
        ("1 / 0\n", "own.py, line 2: ZeroDivisionError"),
    ],
)
def test_a_user_s_metric_that_fails_is_named_with_its_line(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(GraphpruneError, match=message) as caught:
        seen(user_metric(tmp_path, body))
    assert caught.value.code == 2
