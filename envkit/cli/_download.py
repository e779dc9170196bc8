"""`envkit setup --download DIR`: a wheelhouse instead of an environment."""

from __future__ import annotations

from pathlib import Path

from envkit.cli._setup import Setup
from envkit.setup.wheelhouses.download import download
from envkit.setup.wheelhouses.filled import keep_lock, render


def fill(folder: Path, setup: Setup) -> int:
    """Fetch what would be installed, and say how it is installed without a network."""
    prepared, extras = setup.prepared(), setup.request.extras
    filled = download(
        Path(prepared.resolved.lock),
        folder,
        python=prepared.python,
        python_version=prepared.python_version,
        sources=prepared.sources,
        environ=setup.environ,
        progress=setup.progress,
    )
    if not extras:  # they are no part of what the profile asks for
        keep_lock(filled, folder, setup.profile, prepared.python_version)
    setup.result["wheelhouse"] = filled
    version = prepared.python_version
    setup.say(render(filled, folder, setup.profile, extras=extras, python_version=version, style=setup.style))
    return 0
