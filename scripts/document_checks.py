"""Write docs/checks.md from the checks themselves and docs/catalogue.yaml: `python scripts/document_checks.py`.

A check's docstring says what and why; its remedies are read from its source, gaps in their texts shown as "…".
"""

from __future__ import annotations

# ruff: noqa: INP001 - a script, no package
import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from envkit.checks import Check, discover

DOCS = Path(__file__).resolve().parents[1] / "docs"
TITLES = {
    "machine": "The machine",
    "accelerators": "Accelerators and their drivers",
    "container": "Containers",
    "python": "Python and its packages",
    "frameworks": "Frameworks",
    "profile": "The profile",
}
HEAD = """# Checks

Made by `python scripts/document_checks.py`; edit the checks and `docs/catalogue.yaml`, not this file.

A check that does not apply on a machine is silenced in a profile, with the reason, or for one run:

```yaml
checks:
  shm-small: {{ignore: one process loads the data}}
  gpu-hot: {{severity: fail, thresholds: {{margin_celsius: 10}}}}
```

    envkit doctor --ignore shm-small

There are {number} checks. *Looks at* names sections of the facts (`envkit probe`); where one is unknown or absent, the
check is skipped. *Explained by* names checks whose finding makes this one a consequence. G, C, H, P and F numbers are
rows of the catalogue of conditions that this project covers (`docs/catalogue.yaml`).
"""
UNCHECKED = """## Not checked

Conditions of the catalogue that no check finds, and why.

| row | condition | why not |
| --- | --- | --- |
"""


def document(catalogue: dict[str, Any], checks: dict[str, Check]) -> str:
    """The text of docs/checks.md."""
    rows = {check: [row for row, entry in catalogue["rows"].items() if check in entry["checks"]] for check in checks}
    parts = [HEAD.format(number=len(checks))]
    for area, title in TITLES.items():
        parts.append(f"## {title}\n")
        parts += [section(check, rows[check.id]) for check in checks.values() if check.area == area]
    table = [f"| {row} | {entry['what']} | {entry['why']} |" for row, entry in catalogue["not_checked"].items()]
    return "\n".join(parts) + "\n" + UNCHECKED + "\n".join(table) + "\n"


def section(check: Check, rows: list[str]) -> str:
    """One check."""
    source = Source(check)
    lines = [f"### {check.id}\n", check.description, ""]
    if remedies := list(source.remedies()):
        lines.append(f"- *Remedy*: {'; or: '.join(text.rstrip(' :') for text in remedies)}.")
    lines.append(f"- *Looks at*: {', '.join(source.looks_at()) or 'nothing'}.")
    if check.thresholds:
        lines.append(f"- *Thresholds*: {', '.join(f'{name} = {value}' for name, value in check.thresholds.items())}.")
    if check.after:
        lines.append(f"- *Explained by*: {', '.join(check.after)}.")
    if rows:
        lines.append(f"- *Catalogue*: {', '.join(rows)}.")
    return "\n".join(lines) + "\n"


class Source:
    """The source of a check's module, to be searched from the check's function on."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self.named: dict[str, ast.AST] = {}
        for node in ast.parse(inspect.getsource(sys.modules[check.function.__module__])).body:
            if isinstance(node, ast.FunctionDef):
                self.named[node.name] = node
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if isinstance(target, ast.Name) and node.value is not None:
                    self.named[target.id] = node.value

    def nodes(self) -> Iterator[ast.AST]:
        """Of the function and of what it uses of its module."""
        waiting, seen = [self.check.function.__name__], set[str]()
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self.named:
                continue
            seen.add(name)
            for node in ast.walk(self.named[name]):
                yield node
                if isinstance(node, ast.Name):
                    waiting.append(node.id)

    def remedies(self) -> Iterator[str]:
        """The texts of the remedies it may give, each once."""
        said: dict[str, None] = {}
        for node in self.nodes():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Remedy":
                value = next((k.value for k in node.keywords if k.arg == "text"), None)
                said.update(dict.fromkeys(text for text in self.texts(value) if text.strip("… ;")))
        yield from said

    def texts(self, node: ast.AST | None) -> list[str]:
        """What an expression may say."""
        if isinstance(node, ast.Constant):
            return [str(node.value)]
        if isinstance(node, ast.JoinedStr):
            return ["".join(self.part(value) for value in node.values)]
        if isinstance(node, ast.IfExp):
            return [*self.texts(node.body), *self.texts(node.orelse)]
        if isinstance(node, ast.BinOp):
            return [a + b for a in self.texts(node.left) for b in self.texts(node.right)]
        if isinstance(node, ast.Dict):
            return [text for value in node.values for text in self.texts(value)]
        if isinstance(node, ast.Name) and node.id in self.assigned():
            return [text for value in self.assigned()[node.id] for text in self.texts(value)]
        if isinstance(node, ast.Subscript):
            return self.texts(node.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            return self.texts(node.func.value)
        return ["…"]

    def part(self, node: ast.AST) -> str:
        """What a part of an f-string says, where that is one thing."""
        texts = self.texts(node.value if isinstance(node, ast.FormattedValue) else node)
        return texts[0] if len(texts) == 1 else "…"

    @cache  # noqa: B019 - of a few hundred, for the second that the script runs
    def assigned(self) -> dict[str, list[ast.AST]]:
        """Names to the expressions that they stand for, in the module and in the functions."""
        found = {name: [node] for name, node in self.named.items() if not isinstance(node, ast.FunctionDef)}
        for node in self.nodes():
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found.setdefault(node.targets[0].id, []).append(node.value)
        return found

    def looks_at(self) -> list[str]:
        """Sections of the facts, and the profile and the tables, that it reads."""
        found = dict.fromkeys(name for name in self.check.needs if name != "facts")
        for node in self.nodes():
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "facts":
                found[node.attr] = None
        return list(found)


def main() -> None:
    catalogue = yaml.safe_load((DOCS / "catalogue.yaml").read_text(encoding="utf-8"))
    (DOCS / "checks.md").write_text(document(catalogue, discover()), encoding="utf-8")


if __name__ == "__main__":
    main()
