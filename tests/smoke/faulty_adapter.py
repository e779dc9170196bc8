"""An adapter without a framework, into which a test puts its fault."""

from __future__ import annotations

# Computes nothing, in no time; BUILD and STEP are where a test puts its fault.
ADAPTER = """
import os, signal, time
VERSION = "1.0"
FORM = "torch"
class Network:
    def __init__(self, case):
        self.case, self.steps = case, 0
    def gradient(self, x, y):
        GRADIENT
        return 1.0, {"w": [1.0]}
    def step(self, number):
        STEP
        self.steps += 1
        return 1.0 / (number + 1)
    def parameters(self):
        return {"w": [float(CHANGED)]}
    def where(self):
        return [("w", USED, "float32"), ("output", USED, "float32")]
def open_device(kind, index):
    return kind, "a " + kind
def build(models, case, device, dtype, variant):
    BUILD
    return Network(case)
def optimize(optimizer, prescribed, device, dtype, variant):
    return [0.0]
def out_of_memory(error):
    return "alloc" in str(error)
def determinism(device):
    return None
def memory(device):
    return None
"""


def adapter(**faults: str) -> str:
    """The adapter with faults: build, gradient, step; used: where tensors lie; changed: what the parameter is."""
    source = ADAPTER
    for place, code in {
        "build": "",
        "gradient": "",
        "step": "",
        "used": "'cpu'",
        "changed": "self.steps",
        **faults,
    }.items():
        source = source.replace(place.upper(), code or "pass")
    return source


CONTENT = """
from envkit.smoke import conclude
from envkit.smoke.judging import Judgement, judge_device
conclude.judge = lambda observation, *_: [judge_device(observation)]
conclude.judge_optimizer = lambda *_: Judgement(check="optimizer", status="pass")
"""
"""Every number is right, only the device is judged: what counts here is what becomes of the children."""
