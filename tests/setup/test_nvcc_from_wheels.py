"""nvcc, as `--extras nvcc` puts it together, compiles and links a program. 105 MB from the index; no GPU is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from envkit.knowledge import Knowledge
from envkit.setup.uv import find_uv

PROGRAM = """
#include <cuda_fp16.h>
#include <cuda/std/array>
#include <thrust/device_vector.h>
#include <cstdio>
__global__ void add(float* x) { x[threadIdx.x] = sinf(x[threadIdx.x]) + __half2float(__float2half(1.0f)); }
int main() {
  int version = 0;
  cudaRuntimeGetVersion(&version);
  add<<<1, 1>>>(nullptr);
  std::printf("%d", version);
}
"""


@pytest.mark.heavy
@pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")
def test_a_program_is_compiled_with_what_the_wheels_bring(tmp_path: Path) -> None:
    row = Knowledge().extensions.toolchains["nvcc"]
    words = {"cuda": "13.0", "major": "13"}
    venv = tmp_path / "venv"
    subprocess.run([find_uv(), "venv", "-q", "--python", sys.executable, str(venv)], check=True)
    install = [find_uv(), "pip", "install", "-q", "--python", str(venv / "bin/python")]
    subprocess.run([*install, *(each.format(**words) for each in row.requirements)], check=True)
    home = next(venv.glob("lib/python*/site-packages")) / row.home.format(**words)
    for path, target in row.links.items():
        (home / path).symlink_to(target.format(**words))
    (tmp_path / "add.cu").write_text(PROGRAM)
    clean = {name: value for name, value in os.environ.items() if name not in {"LIBRARY_PATH", "LD_LIBRARY_PATH"}}
    nvcc = [str(home / "bin/nvcc"), "-std=c++17", "-arch=sm_80", "-o", "add", "add.cu"]
    subprocess.run(nvcc, cwd=tmp_path, env=clean, check=True)
    ran = subprocess.run([str(tmp_path / "add")], env=clean, capture_output=True, text=True, check=True)
    assert ran.stdout == "13000"
    host = [
        "g++",
        f"-I{home}/include",
        f"-L{home}/lib64",
        "-lcudart",
        "-shared",
        "-o",
        "x.so",
        "-x",
        "c++",
        "/dev/null",
    ]
    subprocess.run(host, cwd=tmp_path, env=clean, check=True)
