"""HTML as nested calls: `tag("p", "a < b", cls="note")`. Text is escaped; only what `tag` made is HTML already."""

from __future__ import annotations

from html import escape

_VOID = frozenset({"input", "link", "meta", "rect", "path", "circle", "stop"})


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *content: str, **attributes: str | int | bool) -> Html:
    """An element. `cls` is its class, an underscore in a name a hyphen; an attribute is there when it is not False."""
    opened = name
    for key, value in attributes.items():
        called = "class" if key == "cls" else key.replace("_", "-")
        if value is True:
            opened += f" {called}"
        elif value is not False:
            opened += f' {called}="{escape(str(value))}"'
    if name in _VOID:
        return Html(f"<{opened}/>")
    return Html(f"<{opened}>{join(*content)}</{name}>")


def join(*content: str) -> Html:
    """Pieces one after the other."""
    return Html("".join(each if isinstance(each, Html) else escape(each) for each in content))


def prose(text: str) -> Html:
    """Text with `code` between backquotes."""
    return join(*(tag("code", part) if place % 2 else part for place, part in enumerate(text.split("`"))))


def hidden(text: str) -> Html:
    """Text for those who listen to the page, not for those who see it."""
    return tag("span", text, cls="hidden")
