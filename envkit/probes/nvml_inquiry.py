"""What NVML is asked, in which order, and what becomes of a question that is not answered.

Part of the program nvml_child.py, which says what the records are; a module of its own because Python keeps those
compiled. Nothing of envkit is imported but the files beside it.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from itertools import combinations
from typing import Any

from nvml_links import peers  # type: ignore[import-not-found] # a file beside this one
from nvml_questions import QUESTIONS, SLOW  # type: ignore[import-not-found]
from nvml_readings import Device, NotAReadingError, reason  # type: ignore[import-not-found]

LIBRARY = "libnvidia-ml.so.1"
GONE = frozenset({"GPU_IS_LOST", "RESET_REQUIRED"})
MACHINE = ("library", "start", "gpu_count", "driver_version", "cuda_driver_version")
OPENING = frozenset({"start", "handle"})
MOST_GPUS = 128  # in one machine
MOST_SILENCES = 2  # a question without an answer so often is put to nobody else

About = tuple[int, ...]  # () the machine, (3,) a GPU, (0, 3) a pair
Job = tuple[About, str]


class Inquiry:
    """What is still to be asked, and who does not answer.

    Several threads may work on it: one, and those that wait inside NVML; when such a one comes back it goes on.
    """

    def __init__(self, emit: Callable[[dict[str, Any]], None], *, deep: bool) -> None:
        self.emit = emit
        self.questions = [field for field in QUESTIONS if deep or field not in SLOW]
        self.lock = threading.Lock()
        self.nvml: Any = None
        self.devices: dict[int, Any] = {}
        self.waiting: deque[Job] = deque(((), field) for field in MACHINE)
        self.held: list[Job] = []
        """What waits for somebody who has not answered yet."""
        self.asked: dict[threading.Thread, tuple[Job, float]] = {}
        self.silent: dict[threading.Thread, About] = {}
        self.silences: Counter[str] = Counter()

    def work(self) -> None:
        """Ask until there is nothing left to ask."""
        while job := self.take():
            said = self.answer(*job)
            with self.lock:
                if self.silent.pop(threading.current_thread(), None) is not None:
                    self.waiting.extendleft(reversed(self.held))
                    self.held = []
                if said.pop("over", False):
                    self.drop(job[0])
            self.say(job[0], **said)

    def drop(self, about: About) -> None:
        """Ask nothing more about it, nor of pairs that it belongs to; without the machine nothing at all."""
        self.waiting = deque(job for job in self.waiting if about and not {*about} & {*job[0]})
        self.held = [job for job in self.held if about and not {*about} & {*job[0]}]

    def take(self) -> Job | None:
        """The next question to somebody who has answered the last one."""
        with self.lock:
            mute = {index for about in self.silent.values() for index in about or (-1,)}
            while self.waiting and mute.intersection(self.waiting[0][0] or (-1,)):
                self.held.append(self.waiting.popleft())
            if not self.waiting:
                return None
            job = self.waiting.popleft()
            self.asked[threading.current_thread()] = (job, time.monotonic())
        self.say(job[0], asking=job[1])
        return job

    def answer(self, about: About, field: str) -> dict[str, Any]:
        """What is to be said of it; "over": nothing more is to be asked about this."""
        try:
            value = self.value(about, field)
        except Exception as error:
            expected = (NotAReadingError, AttributeError, LookupError, ValueError, OSError)
            if not isinstance(error, expected if self.nvml is None else (*expected, self.nvml.NVMLError)):
                raise
            why = reason(self.nvml, error)
        else:
            return {} if field in OPENING else value if len(about) == 2 else {field: value}
        if field == "library":
            return {"library_missing": why, "over": True}
        if field in OPENING:  # no further call: the library may crash (nvitop#145)
            return {"error": why, "over": True}
        if field == "gpu_count":
            return {"error": why}
        gone = {"error": why, "over": True} if why in GONE and len(about) == 1 else {}
        return {"unreadable": {field: why}, **gone}

    def value(self, about: About, field: str) -> Any:
        if self.silences[field] >= MOST_SILENCES:
            raise NotAReadingError("not asked: two others gave no answer")
        if not about:
            return getattr(self, field)()
        if len(about) == 2:
            return peers(self.devices[about[0]], self.devices[about[1]])
        if field == "handle":
            self.devices[about[0]] = Device(self.nvml, self.nvml.nvmlDeviceGetHandleByIndex(about[0]))
            return None
        return QUESTIONS[field](self.devices[about[0]])

    def library(self) -> str | None:
        """Load it; the path of its file."""
        ctypes.CDLL(LIBRARY)
        with contextlib.suppress(OSError), open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            return next((line.split(maxsplit=5)[5].strip() for line in maps if "/libnvidia-ml.so" in line), None)
        return None

    def start(self) -> None:
        import pynvml  # noqa: PLC0415 - costs more than all the above, for nothing where the library is missing

        self.nvml = pynvml
        pynvml.nvmlInit()

    def gpu_count(self) -> int:
        count: int = self.nvml.nvmlDeviceGetCount()
        if count > MOST_GPUS:
            raise NotAReadingError(f"{count} GPUs cannot be")
        with self.lock:
            self.waiting.extend(((index,), field) for field in ("handle", *self.questions) for index in range(count))
            self.waiting.extend((pair, "peers") for pair in combinations(range(count), 2))
        return count

    def driver_version(self) -> str:
        return str(self.nvml.nvmlSystemGetDriverVersion())

    def cuda_driver_version(self) -> str:
        version = self.nvml.nvmlSystemGetCudaDriverVersion_v2()
        return f"{version // 1000}.{version % 1000 // 10}"

    def say(self, about: About, **said: Any) -> None:
        self.emit({**({"gpu": about[0]} if len(about) == 1 else {"pair": about} if about else {}), **said})

    def supervise(self, patience_seconds: float) -> None:
        """Start a thread that asks, and another one as often as that waits for too long; return when all are back."""
        workers = [self.worker()]
        while workers[-1].is_alive():
            asked_at = self.asked[workers[-1]][1]
            workers[-1].join(max(0.0, asked_at + patience_seconds - time.monotonic()))
            with self.lock:
                (about, field), last_asked_at = self.asked[workers[-1]]
                if not workers[-1].is_alive() or time.monotonic() < last_asked_at + patience_seconds:
                    continue
                self.silent[workers[-1]] = about
                self.silences[field] += 1
            workers.append(self.worker())
        for worker in workers:
            worker.join()

    def worker(self) -> threading.Thread:
        thread = threading.Thread(target=self.work, daemon=True)
        self.asked[thread] = (((), ""), time.monotonic())
        thread.start()
        return thread
