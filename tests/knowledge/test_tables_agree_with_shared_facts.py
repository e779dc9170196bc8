"""Every row of our tables against facts gathered elsewhere, where they lie beside this project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from envkit.knowledge import Knowledge

FACTS = Path(__file__).resolve().parents[3] / "shared/facts"
KNOWLEDGE = Knowledge()
pytestmark = pytest.mark.skipif(not FACTS.is_dir(), reason="no shared facts beside this project")


def facts(name: str) -> dict[str, Any]:
    found = yaml.load((FACTS / f"{name}.yaml").read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    assert isinstance(found, dict)
    return found


def pythons(tags: list[str]) -> str:
    minors = sorted(int(tag[3:].rstrip("t")) for tag in tags)
    return f">=3.{minors[0]},<3.{minors[-1] + 1}"


def test_drivers_of_each_cuda() -> None:
    rows = {row["cuda"]: row for row in facts("cuda_drivers")["toolkit_driver"]}
    compared = 0
    for cuda, row in rows.items():
        if re.fullmatch(r"\d+\.\d+", cuda) and row["linux_driver"]:
            assert KNOWLEDGE.drivers.of_toolkit(cuda) == row["linux_driver"], cuda
            assert KNOWLEDGE.drivers.of_toolkit(cuda, windows=True) == row["windows_driver"], cuda
            compared += 1
    assert compared >= 20


def test_pytorch_releases() -> None:
    for row in facts("torch")["releases"]:
        ours = KNOWLEDGE.torch.releases[row["version"]]
        series = ours.torchvision.rpartition(".")[0]
        assert (ours.cuda, series) == (row["pypi_cuda"], row["torchvision"].rpartition(".")[0]), row["version"]
        assert ours.torchaudio == row["torchaudio"], row["version"]
        # PyTorch 2.4 has wheels for 3.8 too, which the facts pass over.
        assert ours.python.partition(",")[2] == pythons(row["python_tags_linux_x86_64"]).partition(",")[2]


def test_code_in_pytorchs_wheels() -> None:
    compared = 0
    for series in facts("torch")["series"]:
        for variant in series["arch_linux_x86_64"]:
            code = KNOWLEDGE.torch.series[series["series"]].x86_64[variant["variant"]]
            assert (code.sm, code.ptx) == (variant["sm"], variant["ptx"]), (series["series"], variant)
            compared += 1
        for name, sm in (series["arch_linux_aarch64"] or {}).items():
            assert KNOWLEDGE.torch.series[series["series"]].aarch64[name].sm == sm
        offered = {n for n, code in KNOWLEDGE.torch.series[series["series"]].x86_64.items() if code.on_index}
        assert offered == set(series["index_variants"]["cuda"]), series["series"]
    assert compared >= 30


def test_which_code_runs_where() -> None:
    rule, theirs = KNOWLEDGE.torch.cubin_rule, facts("torch")["cubin_rule"]
    assert rule.exclude == {int(sm): devices for sm, devices in theirs["exclude"].items()}
    assert rule.only == {int(sm): devices for sm, devices in theirs["only"].items()}


def test_tensorflow_releases() -> None:
    for row in facts("tensorflow")["releases"]:
        ours = KNOWLEDGE.tensorflow.releases[row["version"]]
        assert ours.python == pythons(row["python_tags"]), row["version"]
        code = [f"sm_{sm}" for sm in ours.sm] + [f"compute_{ptx}" for ptx in ours.ptx]
        assert code == row["cuda_code"], row["version"]


def test_jax_releases() -> None:
    theirs = facts("jax")
    assert KNOWLEDGE.newest("jax") == theirs["newest"].split()[0]
    for row in theirs["releases"]:
        assert KNOWLEDGE.jax.releases[row["version"]].python.startswith(row["requires_python"]), row["version"]
    for python, newest in theirs["newest_by_python"].items():
        known = [v for v, row in KNOWLEDGE.jax.releases.items() if _takes(row.python, python)]
        assert known[-1] == newest.split()[0], python
    for plugin, capability in (("12", "cuda12"), ("13", "cuda13")):
        assert KNOWLEDGE.jax.plugins[plugin].capability == theirs["compute_capability"][capability]


def _takes(python: str, version: str) -> bool:
    low, high = (int(number) for number in re.findall(r"3\.(\d+)", python))
    return low <= int(version.partition(".")[2]) < high
