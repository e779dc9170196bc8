"""Steps of training, with smoke's models as smoke trains them: all that a framework does, not one part of it."""

from __future__ import annotations

import time
from typing import Any

SECONDS = 0.5
LEAST, MOST = 3, 500


def measure(context: Any, device_name: str, variant: str) -> dict[str, Any]:
    """Steps a second in float32: forward, backward, the optimizer's update, and the loss read back.

    The models are small: on a GPU most of a step is the host's time to start kernels, which is as much a part of
    training as products are. One thread on the host: several would wait for each other most of the time, and ten times
    as long as soon as another program runs.
    """
    case = context.smoke("cases").CASES[variant](0)
    device = context.open_device(device_name)
    threads = device.torch.get_num_threads()
    device.torch.set_num_threads(1)
    network = context.smoke("adapter").build(context.smoke("models"), case, device.device, "float32", "eager")
    for number in range(3):  # imports what the optimizer needs, and chooses kernels
        network.step(number)
    times: list[float] = []
    until = time.perf_counter() + SECONDS
    while len(times) < LEAST or (len(times) < MOST and time.perf_counter() < until):
        started = time.perf_counter()
        network.step(len(times))  # waits for the device
        times.append(time.perf_counter() - started)
    device.torch.set_num_threads(threads)
    detail = f"batches of {case.batches[0][0].shape[0]}, float32, one thread"
    return dict(context.result(times, 1.0, "steps/s", detail))
