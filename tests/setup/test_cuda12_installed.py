"""The whole CUDA 12 stack, really installed for a GPU that is not here: 4.9 GB to download, 9 GB on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.heavy

LOOK = """
import collections, hashlib, importlib, importlib.metadata, json, os
owners = collections.defaultdict(dict)
for distribution in importlib.metadata.distributions():
    for file in distribution.files or []:
        if "__pycache__" not in file.parts and not str(file).startswith(".."):
            owners[str(file)][distribution.name] = file.hash and file.hash.value
shared = [n for n, by in owners.items() if len(by) > 1 and (len(set(by.values())) > 1 or "__init__" not in n)]
import torch, torchvision, torchaudio, tensorflow, keras, numpy, h5py, tensorboard
build = tensorflow.sysconfig.get_build_info()
cuda = [build["is_cuda_build"], build["cuda_version"]]
print(json.dumps({"shared": shared, "torch": torch.version.cuda, "tensorflow": cuda}))
"""


def envkit(*arguments: object) -> tuple[int, str]:
    argv = [sys.executable, "-m", "envkit", *map(str, arguments)]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert "Traceback" not in ran.stderr
    return ran.returncode, ran.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    venv = tmp_path_factory.mktemp("cuda12") / "venv"
    status, out = envkit("setup", "--profile", "cuda12", "--assume", "driver=570,gpu=H100", "--venv", venv)
    assert status == 0, out
    return venv


def test_it_says_what_it_was_built_for_and_what_waits_for_the_gpu(built: Path) -> None:
    state: dict[str, Any] = json.loads((built / "envkit.json").read_text())
    assert (state["profile"], state["verdict"]) == ("cuda12", "judged")
    assert state["assumptions"] == {"driver": "570", "cc": "9.0", "gpu": "H100"}
    assert state["deferred"] == ["smoke torch cuda", "smoke tensorflow cuda"]
    assert len(state["lock_sha256"]) == 64


def test_all_imports_work_and_both_frameworks_are_built_for_cuda_12(built: Path) -> None:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    ran = subprocess.run(
        [built / "bin/python", "-c", LOOK], capture_output=True, text=True, check=True, env=environment
    )
    seen = json.loads(ran.stdout.splitlines()[-1])
    assert seen == {"shared": [], "torch": "12.8", "tensorflow": [True, "12.5.1"]}


def test_it_trains_on_the_cpu(built: Path) -> None:
    status, out = envkit("smoke", "--python", built, "--device", "cpu", "--format", "json")
    assert status == 0
    assert [run["status"] for run in json.loads(out)["runs"]] == ["pass"] * 4


def test_doctor_names_only_the_missing_gpu(built: Path) -> None:
    status, out = envkit("doctor", "--python", built, "--format", "json")
    if status == 0:
        pytest.skip("there is an NVIDIA GPU here")
    wrong = [f["check"] for f in json.loads(out)["findings"] if f["status"] == "fail" and not f["caused_by"]]
    assert wrong == ["nvidia-gpu-missing"]
