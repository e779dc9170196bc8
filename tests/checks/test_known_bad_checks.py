"""Combinations of packages that do not work together."""

from __future__ import annotations

import pytest

from envkit.checks import known_bad
from envkit.facts import Facts, ok
from envkit.facts.accelerators import Nvidia, NvidiaGpu
from envkit.facts.software import Package, Python
from envkit.findings import Finding
from envkit.knowledge import Knowledge
from envkit.profile import Profile
from envkit.versions import satisfies

ANY, CPU, KNOWLEDGE = Profile(), Profile(name="cpu"), Knowledge()


def python(environment: dict[str, str] | None = None, requires: str = "", **versions: str) -> Python:
    return Python(
        executable="/venv/bin/python",
        version="3.11.7",
        environment=environment or {},
        packages=[
            Package(name=name.replace("_", "-"), version=version, requires=[requires] if requires else [])
            for name, version in versions.items()
        ],
    )


def judge(inspected: Python, name: str = "NVIDIA A10", profile: Profile = ANY) -> list[Finding]:
    facts = Facts(python=ok(inspected), nvidia=ok(Nvidia(gpus=[NvidiaGpu(index=0, name=name)])))
    return list(known_bad.known_bad_combination(inspected, facts, profile, KNOWLEDGE))


def test_known_bad_combination_fires_for_a_list_of_packages() -> None:
    (finding,) = judge(python(tensorflow="2.18.0", numpy="2.1.3"))
    assert (finding.status, finding.subject) == ("fail", "numpy and tensorflow")
    assert "numpy 2.1.3 is installed" in finding.evidence


def test_known_bad_combination_fires_with_what_mends_it() -> None:
    (finding,) = judge(python(pynvml="11.5.0", nvidia_ml_py="12.560.30"))
    assert finding.remedy is not None
    assert finding.remedy.safe
    assert [command[-1] for command in finding.remedy.commands] == ["pynvml", "nvidia-ml-py"]


def test_known_bad_combination_fires_by_the_name_of_a_gpu_too() -> None:
    (finding,) = judge(python(nvidia_cudnn_cu12="9.28.0.42"), name="Tesla V100-SXM2-16GB")
    assert finding.subject == "GPU 0, Tesla V100-SXM2-16GB"
    assert "GPU 0, Tesla V100-SXM2-16GB: compute capability 7.0" in finding.evidence


@pytest.mark.parametrize(
    ("versions", "fires"),
    [
        ({"xformers": "0.0.33.post1", "torch": "2.9.0"}, False),
        ({"xformers": "0.0.33.post1", "torch": "2.9.1"}, True),
        ({"xformers": "0.0.33.post2", "torch": "2.9.1"}, False),
        ({"xformers": "0.0.33.post2", "torch": "2.9.0"}, True),
        ({"torch": "2.14.1", "triton": "3.8.1"}, False),
        ({"torch": "2.15.0", "triton": "3.8.1"}, True),
        ({"torch": "2.15.0", "typing_extensions": "4.12.2"}, True),
        ({"torch": "2.14.1", "typing_extensions": "4.12.2"}, False),
        ({"jax": "0.12.0", "numpy": "2.1.3"}, True),
        ({"jax": "0.12.0", "numpy": "2.2.0"}, False),
        ({"ml_dtypes": "0.3.2", "numpy": "2.0.0"}, True),
        ({"ml_dtypes": "0.3.2", "numpy": "1.26.4"}, False),
    ],
)
def test_packages_that_do_or_do_not_belong_together(versions: dict[str, str], fires: bool) -> None:
    assert bool(judge(python(**versions))) is fires


def test_known_bad_combination_near_miss() -> None:
    assert not judge(python(tensorflow="2.18.0", numpy="2.0.2"))
    assert not judge(python(tensorflow="2.18.0"))
    assert not judge(python(nvidia_cudnn_cu12="9.28.0.42"))
    assert not judge(python(nvidia_cudnn_cu12="9.28.0.42"), name="Tesla V100-SXM2-16GB", profile=CPU)
    assert not judge(python(torch="2.10.0+cu128", triton="3.6.0"))


def test_known_bad_combination_near_miss_where_broken_requirements_has_read_the_metadata() -> None:
    assert not judge(python(tensorflow="2.18.0", numpy="2.1.3", requires="numpy<2.1"))


@pytest.mark.parametrize("name", KNOWLEDGE.known_bad.combinations)
def test_every_row_of_the_table_can_be_read(name: str) -> None:
    row = KNOWLEDGE.known_bad.combinations[name]
    assert len(row.packages) > 1 or row.capability
    assert all(satisfies("1.0", specifiers) is not None for specifiers in row.packages.values() if specifiers)
    assert not row.capability or satisfies("8.6", row.capability) is not None


def test_keras_mismatch_fires() -> None:
    (finding,) = known_bad.keras_mismatch(python(tensorflow_cpu="2.21.0", tf_keras="2.20.1"))
    assert finding.remedy is not None
    assert finding.remedy.text == "install tf-keras==2.21.*"


def test_keras_mismatch_near_miss() -> None:
    assert not list(known_bad.keras_mismatch(python(tensorflow="2.21.0", tf_keras="2.21.0", tensorflow_text="2.21.1")))
    assert not list(known_bad.keras_mismatch(python(tf_keras="2.21.0")))


def test_keras_backend_missing_fires() -> None:
    assert list(known_bad.keras_backend_missing(python({"KERAS_BACKEND": "jax"}, keras="3.12.4", torch="2.10.0")))


@pytest.mark.parametrize("backend", ["torch", "tensorflow", "", "mine"])
def test_keras_backend_missing_near_miss(backend: str) -> None:
    inspected = python({"KERAS_BACKEND": backend}, keras="3.12.4", torch="2.10.0", tensorflow_cpu="2.21.0")
    assert not list(known_bad.keras_backend_missing(inspected))
