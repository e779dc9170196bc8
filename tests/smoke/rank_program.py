"""What stands for `envkit smoke` under a launcher: few models, a fault of one's own, and what it said on one line."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import os, sys, time
sys.path.insert(0, ROOT)
from envkit.smoke.distributed import together
whole = together.read_sources("torch")
together.read_sources = lambda _framework: {**whole, "worker": whole["worker"] + FAULT}
report = together.train_together(PYTHON, deadline_seconds=SECONDS, models=MODELS)
world = report.worlds[0]
text = f"{report.rank} {report.status} {[rank.host for rank in world.ranks]} {time.time()} {world.message}"
os.write(1, f"<{text}>".encode() + bytes([10]))
os._exit({"healthy": 0, "unhealthy": 1, "unknown": 3}[report.status])
"""
BEFORE_TRAINING = """
_right = _train
def _train(name, *given):
    if name == 'lstm' and os.environ['RANK'] == '{rank}':
        open({file!r}, "w").close()
        os.kill({process}, {signal})
    return _right(name, *given)
"""


def write_program(folder: Path, python: Path, fault: str = "", seconds: float = 240, models: str = "mlp,lstm") -> str:
    """The file of such a program."""
    file = folder / "rank.py"
    given = {"ROOT": str(ROOT), "PYTHON": str(python), "FAULT": fault, "SECONDS": seconds, "MODELS": models.split(",")}
    file.write_text("".join(f"{name} = {value!r}\n" for name, value in given.items()) + PROGRAM)
    return str(file)


def dies_before_lstm(folder: Path, rank: int, signal: int, process: str = "os.getpid()") -> str:
    """A fault: this rank, or its envkit (os.getppid()), gets a signal, at the time of `folder/fault`."""
    return BEFORE_TRAINING.format(rank=rank, file=str(folder / "fault"), process=process, signal=signal)
