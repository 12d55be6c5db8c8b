"""Texts of others, safe to print."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` on one line, with characters that would steer a terminal written as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
