"""What runs inside the inspected interpreter: standard library only, Python 3.8 and newer, nothing of envkit.

A module here with `observe()` fills the fact section of its name, one with `observe_deep()` the section NAME_deep.
Each returns the section's facts as JSON values, or None where there is nothing to observe. Modules import each other
relatively: they reach the interpreter as one program on its stdin, for it need not have envkit.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from pathlib import Path

FLOOR = (3, 8)

# All of it must parse and run on Python 2.7, so that an old interpreter answers instead of failing on the syntax.
_GATE = """\
import sys
if sys.version_info < {floor!r}:
    sys.stdout.write('\\x1e{{"error": "unsupported-python", "version": "%d.%d.%d"}}\\n' % sys.version_info[:3])
    sys.exit(0)
if sys.path[:1] == [""]:
    del sys.path[0]  # `python -` puts the working directory first: nothing of ours is imported from there
SOURCES = {sources}
exec(compile(SOURCES["frame"], "<envkit/target/frame.py>", "exec"))
run(SOURCES, {wanted})
"""


def modules() -> list[str]:
    """Names of the payload's modules: those that fill a section, and those that help them."""
    return [info.name for info in pkgutil.iter_modules(__path__)]


def program(wanted: Sequence[str]) -> bytes:
    """The program to send to `python -`: writes one record for each section of `wanted`, in its order.

    Records: {"section", "outcome", "why", "seconds", "facts"}, or one {"error": "unsupported-python", "version"}.
    """
    import json  # its ASCII strings and lists are valid Python, 2.7 included

    folder = Path(__file__).parent
    sources = {name: (folder / f"{name}.py").read_text("utf-8") for name in modules()}
    text = _GATE.format(floor=FLOOR, sources=json.dumps(sources), wanted=json.dumps(list(wanted)))
    return text.encode("ascii")
