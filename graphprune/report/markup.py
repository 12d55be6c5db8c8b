"""HTML that is put together from values: what is not marked as HTML is escaped."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping

Attribute = str | int | bool | None
_VOID = frozenset({"meta", "link", "br", "hr", "input", "img", "col"})
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


def text(value: object) -> Html:
    """`value` as text: with its characters escaped, those that steer and those that HTML forbids in words.

    >>> text('<b> & "x"'), text("a\\x00\\u202e")
    ('&lt;b&gt; &amp; &quot;x&quot;', 'a\\\\x00\\\\u202e')
    """
    if isinstance(value, Html):
        return value
    return Html(html.escape(visible(str(value))))


def visible(value: str) -> str:
    """`value` with the characters that cannot be seen, or turn the text round, written as escapes."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), value)


def el(tag: str, attributes: Mapping[str, Attribute] | None = None, *children: object) -> Html:
    """An element; an attribute that is None or False is left out.

    >>> el("a", {"href": "#x", "hidden": True}, "1 < 2")
    '<a href="#x" hidden>1 &lt; 2</a>'
    """
    words = [tag]
    for name, value in (attributes or {}).items():
        if value is True:
            words.append(name)
        elif value is not None and value is not False:
            words.append(f'{name}="{text(value)}"')
    start = f"<{' '.join(words)}>"
    return Html(start if tag in _VOID else f"{start}{join(children)}</{tag}>")


def join(children: Iterable[object], between: str = "") -> Html:
    """Pieces one after another; None is nothing."""
    return Html(between.join(text(child) for child in children if child is not None))


def code(value: object) -> Html:
    """A name, as code that may break anywhere."""
    return el("code", None, value)


def script_json(value: object) -> str:
    """`value` as JSON that may stand in a script element: it neither ends nor breaks it.

    >>> script_json({"a": "</script><!--\\u2028"})
    '{"a":"\\\\u003c/script\\\\u003e\\\\u003c!--\\\\u2028"}'
    """
    shown = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return shown.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
