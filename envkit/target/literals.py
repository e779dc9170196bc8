"""Constants of a generated Python file, read without running it."""

from __future__ import annotations

import ast

from . import distributions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def read(path: str) -> dict[str, Any] | None:
    """Name to value of what the file assigns literally, OrderedDict(...) included; None where it cannot be read."""
    text = distributions.text(path)
    try:
        tree = ast.parse(text or "")
    except (SyntaxError, ValueError):
        return None
    values: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            target: ast.expr = node.targets[0]
        elif isinstance(node, ast.AnnAssign):
            target = node.target
        else:
            continue
        value = node.value.args[0] if isinstance(node.value, ast.Call) and node.value.args else node.value
        try:
            if isinstance(target, ast.Name) and value is not None:
                values[target.id] = ast.literal_eval(value)
        except ValueError:  # computed: not for us
            continue
    return values or None
