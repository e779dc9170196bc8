"""Environment variables and what somebody asked Python in a session."""

from __future__ import annotations

from envkit.facts import Facts
from envkit.readers import environment_variables, python_session


def some(found: Facts | None) -> Facts:
    assert found
    return found


def packages(found: Facts) -> dict[str, str | None]:
    assert found.python.facts
    return {package.name: package.version for package in found.python.facts.packages}


def test_variables_are_read_but_not_those_before_a_command_nor_secrets() -> None:
    text = (
        'export LD_LIBRARY_PATH="/opt/cuda/lib64:/x"\nCUDA_VISIBLE_DEVICES=3 python train.py\nNCCL_DEBUG=INFO\n'
        "NVIDIA_REQUIRE_CUDA=cuda>=12.4 brand=tesla,driver>=470\nNVIDIA_API_KEY=nvapi\nHOME=/root\n"
    )
    found = some(environment_variables.read(text))
    assert found.python.facts
    assert found.python.facts.environment == {
        "LD_LIBRARY_PATH": "/opt/cuda/lib64:/x",
        "NCCL_DEBUG": "INFO",
        "NVIDIA_REQUIRE_CUDA": "cuda>=12.4 brand=tesla,driver>=470",
    }
    assert found.container.outcome == "unknown"


def test_what_the_container_runtime_was_asked_for_tells_of_a_container() -> None:
    found = some(environment_variables.read("NVIDIA_VISIBLE_DEVICES=void\nNVIDIA_DRIVER_CAPABILITIES=compute\n"))
    assert found.container.facts
    assert found.container.facts.nvidia_visible_devices == "void"
    assert found.container.facts.nvidia_driver_capabilities == "compute"


def test_a_session_is_read_where_the_answer_follows_the_question() -> None:
    text = (
        "python -V\nPython 3.5.2\n\n>>> torch.__version__\n'2.1.0'\n>>> torch.version.cuda\n'11.8'\n"
        "$ python -c 'import torch; print(torch.cuda.is_available())'\nFalse\nnp.__version__\nsomething\n"
    )
    found = some(python_session.read(text))
    assert packages(found) == {"torch": "2.1.0"}
    assert found.torch.facts
    assert (found.torch.facts.cuda, found.torch.facts.build_known) == ("11.8", True)
    assert found.torch_deep.facts
    assert found.torch_deep.facts.cuda_available is False
    assert found.python.facts
    assert found.python.facts.version == "3.5.2"


def test_questions_without_answers_say_nothing() -> None:
    assert python_session.read("print(torch.__version__)\nprint(torch.cuda.is_available())\n1.2 0.4\n") is None
