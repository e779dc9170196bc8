"""Run as a program, it asks NVML about every GPU and writes each answer as a record on stdout.

NVML can hang for ever, kill its caller, or fail for one GPU of eight (go-nvml#152, nvitop#139, nvgpu#6). So it is
asked here, in a process that may be left behind, which imports nothing of envkit but the files beside it. A question
without an answer for as long as argv[1] says (seconds) is left to its thread, and the next one asks about the other
GPUs; the process then lives as long as that thread: to end it would kill a thread that is inside the driver. With
"deep" as argv[3] it is asked what takes long, too. While it lives it keeps the abstract socket argv[2] taken.

Records (RFC 7464), each about the machine, {"gpu": index}, or {"pair": [index, index]}:
{"asking": field} before each question, and after it {field: value}, {"unreadable": {field: name}}, or {"error": name}
when nothing more can be asked. Fields of the machine: "library", its path, or "library_missing", the loader's words;
"driver_version", "cuda_driver_version", "gpu_count". The first record, "gpu_fields", is what each GPU is asked for.

Left out on purpose: supported clocks, a read-only question that stops machines (open-gpu-kernel-modules#1239).
"""

from __future__ import annotations

import _socket
import contextlib
import json
import os
import sys
import threading
from typing import Any

from nvml_inquiry import Inquiry  # type: ignore[import-not-found] # a file beside this one


def main() -> None:
    alive = _socket.socket(_socket.AF_UNIX)
    with contextlib.suppress(OSError):  # another one has it
        alive.bind(f"\0{sys.argv[2]}")
    records = os.dup(1)
    os.dup2(2, 1)  # the library's own prints must not end up between the records
    writing = threading.Lock()

    def end(broken: threading.ExceptHookArgs) -> None:
        import traceback  # noqa: PLC0415 - costs a tenth of all the rest, for nothing

        traceback.print_exception(broken.exc_type, broken.exc_value, broken.exc_traceback)
        os._exit(1)

    threading.excepthook = end

    def emit(record: dict[str, Any]) -> None:
        with writing:
            try:
                os.write(records, b"\x1e" + json.dumps(record).encode() + b"\n")
            except BrokenPipeError:  # nobody listens any more: an answer that came too late
                os._exit(0)

    inquiry = Inquiry(emit, deep="deep" in sys.argv[3:])
    emit({"gpu_fields": inquiry.questions})
    inquiry.supervise(float(sys.argv[1]))
    os._exit(0)  # everything is said: a driver that hangs or crashes while it is unloaded takes nothing back


if __name__ == "__main__":
    main()
