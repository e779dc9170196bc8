"""What a tool prints as help tells of no fault, though it names them."""

from __future__ import annotations

from envkit.explain import explain
from envkit.knowledge import load

HELP = """\
NVIDIA System Management Interface -- v701.20
    -r    --gpu-reset           Trigger reset of the GPU.
                                Typically useful if a double bit ECC error has
                                occurred.
    -c    --compute-mode=       Set MODE for compute applications:
                                    0/DEFAULT, 1/EXCLUSIVE_THREAD (DEPRECATED),
                                    2/PROHIBITED, 3/EXCLUSIVE_PROCESS
"3: Exclusive_Process" means only one context is allowed per device.
"ecc.errors.uncorrected.volatile.total"
Number of errors that could not be corrected. In use by drivers.
"""


def test_the_help_of_nvidia_smi_names_no_cause() -> None:
    assert explain(HELP, load()).causes == []


LOGGED = "GPU 3: double bit ECC error detected\n"


def test_a_double_bit_error_in_a_log_still_does() -> None:
    assert [cause.cause for cause in explain(LOGGED, load()).causes][:1] == ["ecc-uncorrectable"]
