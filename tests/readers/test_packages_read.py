"""Installed packages from pip, uv, pipdeptree and conda, and what they tell of the frameworks."""

from __future__ import annotations

import json

import pytest

from envkit.facts import Facts
from envkit.facts.software import Jax, Python, Tensorflow, Torch
from envkit.readers import conda_list, pip_packages

COLUMNS = """\
$ pip list
Package                Version      Editable project location
---------------------- ------------ -------------------------
filelock               3.13.1
my_project             0.1.0        /home/me/project
nvidia-cublas-cu12     12.1.3.1
nvidia-cudnn-cu12      8.9.2.26
tensorflow             2.15.0
Torch                  2.1.0+cu121

[notice] A new release of pip is available
"""
CONDA = """\
# packages in environment at /opt/conda/envs/train:
#
# Name                    Version                   Build  Channel
_libgcc_mutex             0.1                        main
numpy                     1.26.4          py310h5f9d8c6_0
python                    3.10.13              h955ad1f_0
pytorch                   2.1.0           py3.10_cuda12.1_cudnn8.9.2_0    pytorch
pytorch-cuda              12.1                 ha16c6d3_5    pytorch
torchvision               0.16.0                   pypi_0    pypi
"""


def pip(text: str) -> Facts:
    found = pip_packages.read(text)
    assert found
    return found


def conda(text: str) -> Facts:
    found = conda_list.read(text)
    assert found
    return found


def python(found: Facts) -> Python:
    assert found.python.facts
    return found.python.facts


def versions(found: Facts) -> dict[str, str | None]:
    return {package.name: package.version for package in python(found).packages}


def torch(found: Facts) -> Torch:
    assert found.torch.facts
    return found.torch.facts


def tensorflow(found: Facts) -> Tensorflow:
    assert found.tensorflow.facts
    return found.tensorflow.facts


def jax(found: Facts) -> Jax:
    assert found.jax.facts
    return found.jax.facts


def test_columns_are_a_whole_listing_with_normalised_names() -> None:
    found = pip(COLUMNS)
    assert len(versions(found)) == 6
    assert versions(found)["torch"] == "2.1.0+cu121"
    assert [package.name for package in python(found).packages if package.editable] == ["my-project"]
    assert python(found).packages_complete
    assert (torch(found).cuda, torch(found).build_known) == ("12.1", True)
    assert (tensorflow(found).and_cuda, tensorflow(found).cuda_build) == (True, None)
    assert (found.jax.outcome, found.jax.why) == ("absent", "jax is not in the list of packages")


@pytest.mark.parametrize(
    "command",
    ["$ pip freeze | grep torch", "pip3 list | findstr torch", "!pip list --outdated", "> pip list|grep t"],
)
def test_a_filtered_listing_is_not_taken_for_all_there_is(command: str) -> None:
    found = pip(f"{command}\ntorch==1.5.0\ntorchvision   0.6.0\n\nand so on\n")
    assert versions(found) == {"torch": "1.5.0", "torchvision": "0.6.0"}
    assert not python(found).packages_complete
    assert (torch(found).build_known, found.jax.outcome) == (False, "unknown")


def test_freeze_has_direct_references_and_editables() -> None:
    text = (
        "$ uv pip freeze\nabsl-py==2.0.0\ntorch @ file:///w/torch-2.1.0%2Bcpu-cp310-cp310-linux_x86_64.whl#sha256=0\n"
        "tool @ git+https://example.org/tool@abc\n-e git+https://example.org/x.git@1#egg=my_pkg\n"
    )
    found = pip(text)
    assert versions(found) == {"absl-py": "2.0.0", "torch": "2.1.0+cpu", "tool": None, "my-pkg": None}
    assert (torch(found).cuda, torch(found).build_known) == (None, True)
    assert python(found).packages_complete


def test_lines_of_requirements_are_not_a_whole_environment() -> None:
    many = "".join(f"p{number}==1.{number}\n" for number in range(60))
    assert python(pip(many)).packages_complete
    assert not python(pip(f"$ cat requirements.txt\n{many}")).packages_complete
    assert not python(pip("torch==2.0\nnumpy==1.2\n")).packages_complete
    assert pip_packages.read("I have torch==2.0 and\nnumpy==1.2\n\nright?") is None


@pytest.mark.parametrize("indent", [None, 2])
def test_json_of_pip_is_a_whole_listing(indent: int | None) -> None:
    rows = [{"name": "jax", "version": "0.4.30"}, {"name": "jax-cuda12-plugin", "version": "0.4.30"}]
    found = pip(f"$ pip list --format json\n{json.dumps(rows, indent=indent)}\n")
    assert jax(found).plugins == {"jax-cuda12-plugin": "0.4.30"}
    assert jax(found).jaxlib is None
    assert found.torch.outcome == "absent"


def test_jax_without_its_jaxlib_is_no_fact_where_only_some_packages_are_named() -> None:
    assert pip("$ pip list | grep jax\njax 0.4.30\n").jax.facts is None
    assert jax(pip("$ pip list | grep jax\njax 0.4.30\njaxlib 0.4.30\n")).jaxlib == "0.4.30"


def test_show_install_and_tree_name_packages_too() -> None:
    text = (
        "Name: torch\nVersion: 2.2.0\nSummary: Tensors\nHome-page: x\nLocation: /v/lib/python3.11/site-packages\n"
        "Requirement already satisfied: numpy>=1.2 in /v/lib (from torch) (1.26.4)\n"
        "Successfully installed torch-2.1.0 jaxlib-0.4.1\nSuccessfully installed keras-3.1.0 some-tool-1.0rc1\n"
        "keras==3.0.0\n├── h5py [required: Any, installed: 3.10.0]\n"
    )
    found = pip(text)
    assert versions(found) == {
        "torch": "2.2.0",
        "h5py": "3.10.0",
        "numpy": "1.26.4",
        "some-tool": "1.0rc1",
        "keras": "3.1.0",
        "jaxlib": "0.4.1",
    }
    assert torch(found).location == "/v/lib/python3.11/site-packages"


@pytest.mark.parametrize(
    ("version", "cuda", "hip", "known"),
    [
        ("2.5.1+cu124", "12.4", None, True),
        ("1.4.0+cu92", "9.2", None, True),
        ("2.10.0+cu130", "13.0", None, True),
        ("2.3.1+cu121.with.pypi.cudnn", "12.1", None, True),
        ("2.5.1+rocm6.2", None, "6.2", True),
        ("2.5.1+cpu", None, None, True),
        ("2.5.1", None, None, False),
        ("2.6.0+xpu", None, None, False),
        ("2.1.0a0+41361538.nv23.06", None, None, False),
    ],
)
def test_the_local_version_tells_the_build(version: str, cuda: str | None, hip: str | None, known: bool) -> None:
    found = torch(pip(f"$ pip list\ntorch {version}\n"))
    assert (found.cuda, found.hip, found.build_known) == (cuda, hip, known)


@pytest.mark.parametrize(
    ("name", "cuda_build"), [("tensorflow-cpu", False), ("tensorflow-gpu", True), ("tensorflow", None)]
)
def test_the_name_of_tensorflow_tells_its_build(name: str, cuda_build: bool | None) -> None:
    assert tensorflow(pip(f"$ pip list\n{name} 2.10.0\n")).cuda_build is cuda_build


def test_condas_table_has_python_the_prefix_and_the_build_of_torch() -> None:
    found = conda(CONDA)
    assert (python(found).version, python(found).prefix, python(found).conda) == (
        "3.10.13",
        "/opt/conda/envs/train",
        True,
    )
    assert (torch(found).version, torch(found).cuda, torch(found).build_known) == ("2.1.0", "12.1", True)
    assert {package.installer for package in python(found).packages} == {"pip", "conda"}
    assert found.tensorflow.outcome == "absent"


@pytest.mark.parametrize(
    ("build", "cuda", "known"),
    [
        ("py3.7_cuda102_cudnn7_0", "10.2", True),
        ("cuda118py310hd67b2a7_200", "11.8", True),
        ("py3.6_cuda9.0.176_cudnn7.4.1_1", "9.0", True),
        ("py3.8_cpu_0", None, True),
        ("cpu_generic_py310h1234567_1", None, True),
        ("py3.6_cuda0.0_cudnn0.0_1", None, True),
        ("py310h06a4308_0", None, False),
    ],
)
def test_the_build_of_a_single_row_in_prose_tells_cuda(build: str, cuda: str | None, known: bool) -> None:
    found = torch(conda(f"conda shows\npytorch                   1.5.1           {build}    pytorch\nbut it fails\n"))
    assert (found.cuda, found.build_known) == (cuda, known)


def test_a_filtered_conda_listing_is_not_whole() -> None:
    text = "$ conda list | grep torch\npytorch 2.1.0 py3.10_cpu_0 pytorch\n"
    assert not python(conda(text)).packages_complete


def test_conda_as_json_and_as_export() -> None:
    row = {"name": "tensorflow", "version": "2.4.1", "build_string": "gpu_cuda112py38_0", "channel": "main"}
    assert tensorflow(conda(json.dumps([row], indent=2))).cuda_build is True
    assert tensorflow(conda("# conda list --export\ntensorflow=2.4.1=mkl_py39h1_0\n")).cuda_build is False


def test_prose_with_words_in_columns_is_no_listing() -> None:
    for text in ("epoch 1.0 loss_0 done\n\nx", "name 3.1 is fine\n", "torch 2.1 works for me\n"):
        assert pip_packages.read(text) is None
    assert conda_list.read("version 3.1 of it\n") is None
