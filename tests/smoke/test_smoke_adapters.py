"""What runs in the inspected interpreter: the protocol of adapters, and what may be imported there."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from envkit.smoke import adapters, cases, child, models, witness

FOLDERS = [Path(package.__path__[0]) for package in (adapters, models)]
FILES = sorted(path for folder in FOLDERS for path in folder.glob("*.py") if path.stem != "__init__")
PROTOCOL = {"VERSION", "FORM", "KINDS", "open_device", "build", "optimize", "out_of_memory", "memory", "determinism"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_file_of_a_framework_imports_that_alone(path: Path) -> None:
    assert imported(tree_of(path)) <= {path.stem, *sys.stdlib_module_names}


@pytest.mark.parametrize("name", ["torch", "tensorflow", "jax"])
def test_an_adapter_has_the_protocol_and_a_model_for_every_case(name: str) -> None:
    assert defined(tree_of(FOLDERS[0] / f"{name}.py")) >= PROTOCOL
    text = (FOLDERS[1] / f"{name}.py").read_text("utf-8")
    assert all(f'"{case}": ' in text for case in cases.CASES)


@pytest.mark.parametrize("module", [child, cases, witness])
def test_the_rest_of_the_payload_imports_the_standard_library_alone(module: object) -> None:
    assert imported(tree_of(Path(str(module.__file__)))) <= set(sys.stdlib_module_names)  # type: ignore[attr-defined]


def test_without_a_driver_the_witness_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: str) -> None:
        raise OSError("no such library")

    monkeypatch.setattr(witness.ctypes, "CDLL", absent)
    assert [said["saw"] for said in witness.ask(0.0)] == [None]


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), feature_version=(3, 9))


def defined(tree: ast.Module) -> set[str]:
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    names |= {
        node.target.id for node in tree.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return names | {target.id for target in targets if isinstance(target, ast.Name)}


def imported(tree: ast.Module) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}
