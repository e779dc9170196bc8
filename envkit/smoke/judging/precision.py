"""What precision a gradient looks like, and whether it is the one that was asked for."""

from __future__ import annotations

FINENESS = ("float64", "float32", "16-bit-mantissa-like", "TF32-like", "bfloat16-like")
"""The names of the table, finest first."""

ASKED = {
    "float64": "float64",
    "float32": "float32",
    "tf32": "TF32-like",
    "float16": "TF32-like",  # both have 10 bits of mantissa
    "bfloat16": "bfloat16-like",
}
"""What a run looks like that computes in what it was asked for."""

SWITCHES = (
    "the framework's switches (torch.backends.cuda.matmul.allow_tf32, jax_default_matmul_precision, "
    "tf.config.experimental.enable_tensor_float_32_execution), NVIDIA_TF32_OVERRIDE and ONEDNN_DEFAULT_FPMATH_MODE"
)

TITLES = {"tf32": "TF32", "bfloat16": "bfloat16 autocast", "float16": "float16 autocast"}


SURE_OF_TF32 = {"cnn-smooth", "transformer"}
"""Cases with matrix products that libraries do on tensor cores wherever TF32 is allowed. It is allowed, never promised:
for the small ones of the others cuBLAS, cuDNN and XLA have kernels in float32 that are as fast."""


def mismatch(asked: str, case: str, found: str | None, *, admitted: bool) -> tuple[str, str, list[str]] | None:
    """Words, what would confirm it, and causes, where the numbers are of another precision than asked for.

    Args:
        asked: the dtype of the observation.
        case: what was computed in it.
        found: the name of `looks_like`; None is no precision's, so no mismatch of precision.
        admitted: the deviations are within the tolerances of such a run: it may be as coarse as it is.
    """
    wanted = ASKED[asked]
    if found is None or found == wanted:
        return None
    title = TITLES.get(asked, asked)
    if FINENESS.index(found) < FINENESS.index(wanted):
        if asked not in TITLES:
            return None  # nothing slow or narrow was to be had; check D sees the type
        if asked == "tf32" and case not in SURE_OF_TF32:
            return None
        if (asked, case, found) == ("bfloat16", "lstm", "TF32-like"):
            return None  # PyTorch's autocast gives cuDNN's LSTM float16, whatever was asked for (AutocastRNN.cpp)
        return (
            f"{title} was asked for, and the gradient is as exact as {found}: the device did not compute in it",
            "the device's compute capability (TF32 and bfloat16: 8.0 and newer), and the switch that was set",
            ["gpu-arch-below-profile", "gpu-lacks-feature"],
        )
    if admitted:
        return None
    return (
        f"{title} was asked for, and the gradient is as coarse as {found}: rounded on the way, or noise of its size",
        SWITCHES,
        ["environment-variables-pollute"],
    )
