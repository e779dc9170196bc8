"""Extensions are chosen from little wheels: real resolutions, no network."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from envkit.errors import InputError
from envkit.knowledge import Knowledge
from envkit.profile import Profile, Requires
from envkit.setup.extensions.extension import Extra
from envkit.setup.extensions.extras import choose_extras, refusal
from envkit.setup.resolving.compile import Compiled
from envkit.setup.sources.configured import read_sources
from envkit.versions import minor

PYTHON = str(Path(sys.executable).resolve())
VERSION = ".".join(map(str, sys.version_info[:3]))
TABLE = Knowledge().extensions
CUDA12 = Profile(
    name="lab", packages=["torch==2.10.0", "numpy==2.2"], requires=Requires(accelerator="nvidia", cuda="12.8")
)
CUDA13 = msgspec.structs.replace(CUDA12, requires=Requires(accelerator="nvidia", cuda="13.0"))

Choose = Callable[..., tuple[list[Extra], Compiled | None]]


@pytest.fixture
def wheels(wheelhouse: Path, make_wheel: Callable[..., Path]) -> Callable[..., Path]:
    """Adds a wheel; PyTorch 2.10 with its Triton, 2.9 and NumPy are there."""

    def add(name: str, version: str, *requires: str) -> Path:
        return make_wheel(wheelhouse, name, version, requires)

    add("triton", "3.6.0")
    add("triton", "3.8.0")
    add("torch", "2.10.0", "triton==3.6.0")
    add("torch", "2.9.0")
    add("numpy", "2.2")
    add("numpy", "2.3")
    return add


@pytest.fixture
def choose(environ: dict[str, str], tmp_path: Path, wheels: Callable[..., Path]) -> Choose:
    def call(*names: str, profile: Profile = CUDA12, **more: object) -> list[Extra]:
        return choose_extras(
            names,
            profile,
            TABLE,
            python=PYTHON,
            python_version=VERSION,
            sources=read_sources(environ, root=tmp_path),
            environ=environ,
            **more,  # type: ignore[arg-type]
        )

    return call


def test_the_newest_release_that_goes_with_the_pinned_torch_is_pinned(
    choose: Choose, wheels: Callable[..., Path]
) -> None:
    wheels("xformers", "0.0.34", "torch==2.10.0")
    wheels("xformers", "0.0.36", "torch==2.11.0")
    (extra,) = choose("xformers")
    assert extra.requirements == ["xformers==0.0.34"]
    assert refusal([extra]) is None


def test_an_extension_may_not_move_what_is_pinned(choose: Choose, wheels: Callable[..., Path]) -> None:
    wheels("vllm", "0.19.1", "torch==2.10.0", "numpy==2.3")
    (extra,) = choose("vllm")
    assert "vllm 0.19.1 goes with torch 2.10.0, but not with all that profile lab pins" in extra.statement
    assert "numpy" in extra.statement


def test_the_torch_that_the_newest_release_wants_is_named(choose: Choose, wheels: Callable[..., Path]) -> None:
    wheels("vllm", "0.13.0", "torch==2.9.0")
    (extra,) = choose("vllm")
    assert "no release goes with torch 2.10.0" in extra.statement
    assert "vllm" not in extra.requirements
    assert "torch 2.9.0 (here 2.10.0)" in extra.statement


def test_a_release_too_old_to_name_its_torch_is_no_way_out(choose: Choose, wheels: Callable[..., Path]) -> None:
    wheels("vllm", "0.2.2", "torch>=2.1")
    wheels("vllm", "0.13.0", "torch==2.9.0")
    (extra,) = choose("vllm")
    assert not extra.requirements


def test_a_wheel_for_another_cuda_is_not_taken_though_its_metadata_would_let_it(
    choose: Choose, wheels: Callable[..., Path]
) -> None:
    wheels("xformers", "0.0.35", "torch>=2.10")
    (extra,) = choose("xformers", profile=CUDA13)
    assert "for CUDA >=12,<13, torch 2.10.0 is built with CUDA 13.0" in extra.statement
    assert "nvcc 13.0" in extra.hint


def test_gpus_without_code_in_the_wheel_are_told(choose: Choose, wheels: Callable[..., Path]) -> None:
    wheels("xformers", "0.0.35", "torch>=2.10")
    (extra,) = choose("xformers", capabilities=["8.0", "7.0"])
    assert "compute capability >=7.5, this GPU has 7.0" in extra.statement
    (fits,) = choose("xformers", capabilities=["8.0"])
    assert fits.requirements


def test_flash_attention_s_file_is_named_where_no_source_has_it(choose: Choose) -> None:
    (extra,) = choose("flash-attn")
    tag = "cp" + minor(VERSION).replace(".", "")
    assert f"flash_attn-2.8.3+cu12torch2.10cxx11abiTRUE-{tag}-{tag}-linux_" in extra.statement
    assert "9 GiB of memory a job" in extra.hint
    error = refusal([extra])
    assert error is not None
    assert error.exit_status == 1
    assert error.hint.startswith("envkit builds nothing. Building flash-attn by hand takes nvcc 12.8")
    assert "flash-attn: no source has a wheel" in error.message


def test_flash_attention_comes_from_the_user_s_own_wheels_if_built_for_this_torch(
    choose: Choose, wheels: Callable[..., Path]
) -> None:
    wheels("flash_attn", "2.8.3+cu12torch2.9cxx11abiTRUE")
    (other,) = choose("flash_attn")
    assert not other.requirements
    wheels("flash_attn", "2.8.3+cu12torch2.10cxx11abiTRUE")
    (extra,) = choose("flash_attn")
    assert extra.requirements == ["flash-attn==2.8.3+cu12torch2.10cxx11abitrue"]


def test_triton_is_the_one_that_torch_brings(choose: Choose) -> None:
    (extra,) = choose("triton")
    assert extra.requirements == ["triton==3.6.0"]
    older = msgspec.structs.replace(CUDA12, packages=["torch==2.9.0"])
    (none,) = choose("triton", profile=older)
    assert "part of PyTorch's CUDA builds" in none.statement


def test_a_profile_without_gpus_or_without_torch_has_no_extensions(choose: Choose, wheels: Callable[..., Path]) -> None:
    wheels("xformers", "0.0.35", "torch>=2.10")
    (extra,) = choose("xformers", profile=Profile(name="plain", packages=["torch==2.10.0"]))
    assert "nvidia GPUs, which profile plain is not for" in extra.statement
    (none,) = choose("bitsandbytes", profile=Profile(name="bare", packages=["numpy==2.2"]))
    assert "profile bare has none" in none.statement


def test_nvcc_comes_from_wheels_for_cuda_13_and_not_for_cuda_12(choose: Choose, wheels: Callable[..., Path]) -> None:
    wheels("cuda_toolkit", "13.0.2")
    wheels("cuda_toolkit", "13.2.0")
    wheels("ninja", "1.13.0")
    (extra,) = choose("nvcc", profile=CUDA13)
    assert extra.requirements == ["cuda-toolkit[cccl,crt,cudart,nvcc,nvvm]==13.0.2", "ninja==1.13.0"]
    assert extra.home == "nvidia/cu13"
    assert extra.links == {"lib64": "lib", "lib/libcudart.so": "libcudart.so.13"}
    (none,) = choose("nvcc")
    assert "CUDA 12.8 lack nvcc itself" in none.statement
    assert "cuda-toolkit=12.8" in none.hint


def test_an_unknown_extra_is_refused_with_the_nearest_name(choose: Choose) -> None:
    with pytest.raises(InputError, match=r"flash-atn is not known, did you mean 'flash-attn'\? .*known: xformers"):
        choose("flash-atn")
