"""One file per framework, run in the inspected interpreter: the standard library and that framework, nothing else.

An adapter is a module whose import imports the framework. It has

    VERSION: str
    open_device(kind) -> (device, name)     raises LookupError, in the framework's words, when there is none
    build(model, reference, device) -> (step, state)
        step(number) -> float               one step of the optimizer on batch `number`; the loss, waited for
        state() -> [(name, kind, dtype, changed)]
                                            of each parameter, and of "output" (changed is None): where it really
                                            lies, and whether it differs from its initial value
    out_of_memory(error) -> bool
    peak_memory(device) -> int | None       bytes of device memory so far; None where the device has none of its own

`model` is a key of data.MODELS, `reference` a data.Reference, `kind` a profile.Device.
"""
