"""pip, run by uv to fetch wheels from their addresses: uv itself can only install."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from packaging.utils import parse_wheel_filename

from envkit.errors import SetupError
from envkit.harness import Child
from envkit.setup.sources.configured import Sources
from envkit.setup.sources.reach import unreached
from envkit.setup.uv import explain, find_uv, run_uv

SAID_BY_UV = {
    "SSL_CERT_DIR": "PIP_CERT",
    "SSL_CERT_FILE": "PIP_CERT",
    "SSL_CLIENT_CERT": "PIP_CLIENT_CERT",
    "UV_INSECURE_HOST": "PIP_TRUSTED_HOST",
    "UV_HTTP_TIMEOUT": "PIP_TIMEOUT",
    "UV_HTTP_RETRIES": "PIP_RETRIES",
    "UV_DEFAULT_INDEX": "PIP_INDEX_URL",
    "UV_INDEX": "PIP_EXTRA_INDEX_URL",
    "UV_KEYRING_PROVIDER": "PIP_KEYRING_PROVIDER",
}
"""What uv is told, in pip's words; an index is named for its credentials alone: the file's own address is asked."""
AGAIN = "What was fetched stays: run again to go on."


@dataclass(frozen=True)
class Pip:
    """A pip that fetches wheels for whichever Python and platform."""

    python: str
    """An interpreter that it runs on."""
    python_version: str
    """Of the interpreter that the wheels are for: "3.12.5"."""
    sources: Sources
    environ: Mapping[str, str]
    on_idle: Callable[[int], None]
    """Called with uv's pid now and then."""

    def fetch(self, wheels: Mapping[str, str], folder: Path) -> None:
        """Fetch wheels into a folder: all of them, or none.

        Args:
            wheels: "name @ address --hash=sha256:..." by the wheel's file name.
            folder: where they are put.

        Raises:
            SetupError: one cannot be fetched, or is another file.
        """
        argv = [find_uv(), "tool", "run", "--quiet", "--python", self.python, *self.sources.flags]
        argv += ["pip", "download", "--quiet", "--no-deps", "--require-hashes", "--no-cache-dir"]
        # Through stdin: an address may hold credentials.
        argv += ["--dest", str(folder), "-r", "/dev/stdin", *_target(wheels, self.python_version)]
        child = run_uv(
            argv,
            sources=self.sources,
            environ=self._environment(folder),
            stdin="".join(f"{requirement}\n" for requirement in wheels.values()),
            on_idle=self.on_idle,
        )
        if not child.succeeded:
            raise self._failure(wheels, child)

    def _environment(self, temporary: Path) -> dict[str, str]:
        """What uv is told, and nothing else: pip's constraints and the like would refuse a file by its address."""
        told = self.sources.child_environment(self.environ)
        said = {pip: told[uv] for uv, pip in SAID_BY_UV.items() if told.get(uv)}
        if "PIP_EXTRA_INDEX_URL" in said:  # uv lets an index have a name: "name=https://..."
            said["PIP_EXTRA_INDEX_URL"] = re.sub(r"(?<!\S)[\w.-]+=(?=\w+://)", "", said["PIP_EXTRA_INDEX_URL"])
        own = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        kept = {name: value for name, value in self.environ.items() if not name.startswith("PIP_")}
        # A large file must not pass through a small /tmp, nor be copied from one file system to another.
        return {**kept, **said, **own, "TMPDIR": str(temporary)}

    def _failure(self, wheels: Mapping[str, str], child: Child) -> SetupError:
        named = next((name for name in wheels if name in child.stderr or quote(name) in child.stderr), "")
        what = named or (next(iter(wheels)) if len(wheels) == 1 else f"{next(iter(wheels))} or another of its batch")
        if "DO NOT MATCH THE HASHES" in child.stderr:
            return SetupError(f"{what} is not the file that was resolved: it has another SHA-256", hint=AGAIN)
        if "resolving tool dependencies" in child.stderr:
            return SetupError(
                f"pip, which fetches the files, is not to be had: {explain(child, self.sources).message}",
                hint="Name an index or folder that offers pip in PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS.",
            )
        if told := unreached(child.stderr, self.sources):
            return SetupError(f"{what} was not fetched: {told.message}", hint=f"{told.hint} {AGAIN}")
        return SetupError(f"{what} was not fetched: {explain(child, self.sources, 'pip').message}", hint=AGAIN)


def _target(filenames: Iterable[str], python_version: str) -> list[str]:
    """Options that make pip take wheels whatever it runs on."""
    tags = {tag for name in filenames for tag in parse_wheel_filename(name)[3]}
    options = ["--python-version", python_version]
    if all(tag.platform == "any" for tag in tags):
        return options
    for name, values in (
        ("--implementation", {"cp"}),
        ("--abi", {tag.abi for tag in tags}),
        ("--platform", {tag.platform for tag in tags}),
    ):
        options += [word for value in sorted(values) for word in (name, value)]
    return options
