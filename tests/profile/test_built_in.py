"""The built-in profiles, the schema and the documentation that follow from the types."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from envkit.profile import ProfileErrors, ProfileFile, load, load_file
from envkit.profile import schema as schemas
from envkit.profile.values import requirement, size, size_text, specifier
from envkit.profile.write import as_yaml
from envkit.smoke import adapters

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "profiles").glob("*.yaml"))
NAMES = [path.stem for path in FILES]
RENEW = "run `python -m envkit.profile.schema`"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_is_valid_and_begins_with_what_editors_and_readers_need(path: Path) -> None:
    profile = load_file(path)
    assert profile.name == path.stem
    assert profile.description
    trainable = {info.name for info in pkgutil.iter_modules(adapters.__path__)}
    assert {run.framework for run in profile.smoke} <= trainable
    head = path.read_text(encoding="utf-8").split("\n\n", 1)[0]
    assert head.startswith("# yaml-language-server: $schema=profile.schema.json\n")
    assert re.search(r"Pins: .*as of 2\d{3}-\d\d-\d\d", " ".join(head.split("\n# ")))


@pytest.mark.parametrize("name", NAMES)
def test_every_requirement_is_pinned_and_meant_for_exactly_one_release_per_machine(name: str) -> None:
    profile = load(name)
    python = SpecifierSet(profile.requires.python)
    machines = {"linux": ["x86_64", "aarch64"], "darwin": ["arm64"], "win32": ["AMD64"]}
    systems = {"linux": "linux", "darwin": "darwin", "windows": "win32"}
    pinned = [Requirement(text) for text in profile.packages]
    assert all(re.fullmatch(r"==[^*,]+", str(r.specifier)) for r in pinned)
    for system in (systems[os] for os in profile.requires.os):
        for machine in set(machines[system]) & set(profile.requires.architecture):
            for version in (v for v in ("3.10", "3.11", "3.12", "3.13", "3.14") if v in python):
                environment = {"sys_platform": system, "platform_machine": machine, "python_version": version}
                chosen = [r.name for r in pinned if not r.marker or r.marker.evaluate(environment)]
                assert len(chosen) == len(set(chosen))
                assert {r.framework for r in profile.smoke} <= {name.removesuffix("-cpu") for name in chosen}


@pytest.mark.parametrize("name", NAMES)
def test_shown_as_yaml_it_reads_back_as_the_same_profile(name: str, tmp_path: Path) -> None:
    profile = load(name)
    path = tmp_path / f"{name}.yaml"
    path.write_text(as_yaml(profile), encoding="utf-8")
    assert msgspec.structs.replace(load_file(path), path=profile.path, asked=name) == profile


def test_yaml_keeps_thresholds_that_are_zero_or_false(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("requires: {memory: 1500}\nchecks: {x: {thresholds: {a: 0, b: false, c: ''}}}\n")
    profile = load_file(path)
    path.write_text(as_yaml(profile))
    assert load_file(path) == profile


def test_the_schema_is_current_and_accepts_every_built_in_profile() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    assert (ROOT / "profiles" / "profile.schema.json").read_text(encoding="utf-8") == schemas.schema_text(), RENEW
    validator = jsonschema.Draft202012Validator(schemas.schema())
    validator.check_schema(validator.schema)
    for path in FILES:
        validator.validate(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("content", "valid"),
    [
        ({"requires": {"memory": "8 GiB", "disk": 0}, "extends": "cpu"}, True),
        ({"extends": ["a", "b"]}, True),
        ({"requires": {"memory": "8 gigs"}}, False),
        ({"requires": {"memory": -1}}, False),
        ({"requires": {"memroy": 1}}, False),
        ({"smoke": [{"models": ["mlp"]}]}, False),
        ({"torch_backend": "cuda"}, False),
        ({"path": "x"}, False),
    ],
)
def test_schema_and_reader_agree(tmp_path: Path, content: dict[str, object], valid: bool) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    assert jsonschema.Draft202012Validator(schemas.schema()).is_valid(content) is valid
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("name: x\n")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    if valid:
        load_file(tmp_path / "mine.yaml")
    else:
        with pytest.raises(ProfileErrors):
            load_file(tmp_path / "mine.yaml")


def test_the_documentation_has_every_key_and_its_examples_are_true(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
    assert page == schemas.with_reference(page), RENEW
    assert all(f"| `{name}` |" in page for name in ProfileFile.__struct_fields__)
    (example,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    (tmp_path / "lab.yaml").write_text(example)
    assert "numpy==2.1.3" in load_file(tmp_path / "lab.yaml").packages
    lines = ["\n" * 6 + "requires: {memroy: 1}", "packages:", "  - numpy>=2"]
    mine = tmp_path / "mine.yaml"
    mine.write_text("\n".join(lines).replace("packages:\n  - ", "packages:\n  - "))
    with pytest.raises(ProfileErrors) as caught:
        load_file(mine)
    for line in caught.value.message.replace(str(mine), "mine.yaml").split("\n"):
        assert f"    {line}\n" in page


def test_a_plain_profile_is_read_without_packaging_and_difflib() -> None:
    code = "import sys, envkit.profile; envkit.profile.load('cpu'); print({'packaging', 'difflib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(("text", "number"), [("8 GiB", 2**33), ("1.5GiB", 3 * 2**29), ("1 kB", 1000), ("7 B", 7)])
def test_sizes_are_1024_based_with_an_i_and_1000_based_without(text: str, number: int) -> None:
    assert size(text) == number
    assert size(size_text(number)) == number


@pytest.mark.parametrize(
    "text", [">=3", "==3.1.*", "~=3.1", ">=3,<=3.0", ">3.1,<3.2", "!=3,>=3", ">=3.1rc1", "==3.1+cpu"]
)
def test_specifiers_that_can_be_met_are_left_alone(text: str) -> None:
    assert specifier(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "a @ https://host/a-1-py3-none-any.whl",
        "a[b,c]==1.0+cu128",
        "a === 1.0",
        "a==1 ; (os_name == 'nt')",
        "a==1rc1,>0",
    ],
)
def test_requirements_that_name_one_release_are_left_alone(text: str) -> None:
    assert requirement(text) == text
