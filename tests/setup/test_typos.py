"""Misspelt names of packages are told before anything is asked for by them."""

from __future__ import annotations

import pytest

from envkit.errors import InputError
from envkit.knowledge import Knowledge
from envkit.profile import Profile, available, load_file
from envkit.setup.typos import meant, misspelt, refuse_wrong_names, slips_between

NAMES = Knowledge().packages


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("tenserflow", "tensorflow"),
        ("tourch", "torch"),
        ("trnasformers", "transformers"),
        ("scikitlearn", "scikit-learn"),
        ("pytorch", "torch"),
        ("sklearn", "scikit-learn"),
        ("cv2", "opencv-python"),
        ("tensorflow-gpu", "tensorflow[and-cuda]"),
        ("Torch_Vision", "torchvision"),
        ("nvidia-cudnn", "nvidia-cudnn-cu12"),
    ],
)
def test_what_a_misspelt_name_stands_for(name: str, instead: str) -> None:
    assert meant(name, NAMES) == instead


@pytest.mark.parametrize(
    "name", ["torch", "Scikit_Learn", "scapy", "tensorboardX", "flask", "sax", "our-models", "nvidia-cudnn-cu11"]
)
def test_other_names_stand_for_themselves(name: str) -> None:
    assert meant(name, NAMES) == ""


def test_a_swap_is_one_slip_and_hyphens_are_none() -> None:
    assert slips_between("trnasformers", "transformers") == 1
    assert slips_between("torch-audio", "torchaudio") == 0
    assert slips_between("kitten", "sitting") == 3


def test_a_wrong_name_is_refused_and_a_near_one_noted() -> None:
    near = Profile(name="mine", packages=["tenserflow==2.20.0; python_version >= '3.10'", "numpy==2.2.6"])
    assert refuse_wrong_names(near, NAMES) == [
        "tenserflow is almost the name of a well-known package, did you mean tensorflow?"
    ]
    with pytest.raises(InputError, match="pytorch is a placeholder, did you mean torch"):
        refuse_wrong_names(Profile(name="mine", packages=["pytorch==1.0.2"]), NAMES)


def test_envkit_s_own_profiles_misspell_nothing() -> None:
    for found in available():
        assert misspelt(load_file(found.path).packages, NAMES) == [], found.name


def test_no_name_is_both_well_known_and_wrong() -> None:
    assert not {*NAMES.well_known} & {*NAMES.wrong}
    assert len(NAMES.well_known) == len({*NAMES.well_known})
    assert all(row.source for row in NAMES.wrong.values())
