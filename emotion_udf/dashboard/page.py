"""The one file: markup, style, scripts and data, under a policy that forbids every request."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, Final

import vl_convert

SCRIPTS: Final = (
    "elements.js",
    "calendar.js",
    "statistics.js",
    "quantify.js",
    "matrices.js",
    "cube.js",
    "words.js",
    "state.js",
    "figures.js",
    "charts.js",
    "trust.js",
    "headline.js",
    "over_time.js",
    "heatmap.js",
    "movers.js",
    "terms.js",
    "copies.js",
    "quality.js",
    "examples.js",
    "main.js",
)
"""The page's own scripts; each declares functions for the next ones, the last one starts."""


def render(title: str, data: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        title: Its heading.
        data: What `main.js` reads, as JSON.
    """
    own = "\n".join(part(name) for name in SCRIPTS)
    own = f'"use strict";\n{{\n{own}\n}}\n'
    scripts = (_vega(), own)
    style = part("page.css")
    content = {
        "policy": _policy(scripts, style),
        "style": style,
        "title": escape(title),
        "data": script_json(data),
        "vega": scripts[0],
        "script": scripts[1],
    }
    # In one pass: what is put in is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda mark: content[mark[1]], part("page.html"))


def part(name: str) -> str:
    """Return a file of the page as text."""
    return (files("emotion_udf.dashboard") / "page" / name).read_text(encoding="utf-8")


def script_json(data: Any) -> str:
    """Return JSON that stays inside a <script>: no < can end it, and no line separator can break a line."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@cache
def _vega() -> str:
    """Return Vega, Vega-Lite and vega-embed as one module that sets `window.vegaEmbed`."""
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


def _policy(scripts: tuple[str, ...], style: str) -> str:
    """Return the content security policy: these scripts and this style count, and nothing is fetched from anywhere.

    Vega's charts are drawn by its interpreter of expressions, so no script may make code out of text.
    """
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'sha256-{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
