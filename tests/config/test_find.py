"""A folder's config is the nearest one around it, within the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from graphprune.config.find import find

OURS = "[tool.graphprune]\nversion = 1\n"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"graphprune.toml": ""}, "graphprune.toml"),
        ({"pyproject.toml": OURS}, "pyproject.toml"),
        ({"pyproject.toml": OURS, "graphprune.toml": ""}, "graphprune.toml"),
        ({"a/pyproject.toml": "[tool.ruff]\n", "graphprune.toml": ""}, "graphprune.toml"),
        ({"a/pyproject.toml": "[project]\ndescription='graphprune'\n"}, None),
        ({"a/b/graphprune.toml": "", "graphprune.toml": ""}, "a/b/graphprune.toml"),
        ({"graphprune.toml": "", "a/.git": "gitdir: elsewhere"}, None),
        ({"a/graphprune.toml": "", "a/.git": ""}, "a/graphprune.toml"),
        ({"pyproject.toml": OURS + "broken = \n"}, "pyproject.toml"),
        ({"pyproject.toml": "# graphprune\nbroken = \n"}, None),
        ({}, None),
    ],
)
def test_the_nearest_config_is_found(tmp_path: Path, files: dict[str, str], found: str | None) -> None:
    (tmp_path / "top" / "a" / "b").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    for name, text in files.items():
        (tmp_path / "top" / name).write_text(text)
    assert find(tmp_path / "top" / "a" / "b") == (found and tmp_path / "top" / found)


def test_a_folder_of_that_name_is_no_config(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "graphprune.toml").mkdir()
    assert find(tmp_path) is None


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give files away")
def test_a_stranger_cannot_plant_a_config_where_all_may_write(tmp_path: Path) -> None:
    common = tmp_path / "common"
    (common / "work").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    planted = common / "graphprune.toml"
    planted.write_text("")
    common.chmod(0o1777)
    assert find(common / "work") == planted
    os.chown(planted, 12345, 12345)
    assert find(common / "work") is None
    common.chmod(0o755)
    assert find(common / "work") == planted
