"""Data that must be refused."""

from __future__ import annotations

from typing import Any

import pytest

from graphprune.data import open_data
from graphprune.errors import GraphpruneError
from tests.data_sources import graph


def refusal(text: str, model: str, **options: Any) -> GraphpruneError:
    """The error of opening data and going through it; there must be one."""
    with pytest.raises(GraphpruneError) as caught:
        for _ in open_data(text, graph(model), **options).batches(3):
            pass
    error = caught.value
    assert error.what and "\n" not in error.what
    assert error.hint and "\n" not in error.hint
    return error
