"""One file per framework, run in the inspected interpreter: the standard library and that framework, nothing else.

An adapter is a module whose import imports the framework. It has

    VERSION: str
    FORM: "torch" | "keras"                 the form of its Adam, see judging
    KINDS                                   of devices that it knows, profile.Device
    open_device(kind, index) -> (device, name)
                                            raises LookupError, in the framework's words, when there is none
    build(models, case, device, dtype, variant) -> network
                                            raises LookupError when the device has no such arithmetic
    optimize(optimizer, (start, gradients), device, dtype, variant) -> [float]
                                            the optimizer alone: the values after one update for each of the gradients
    out_of_memory(error) -> bool
    determinism(device) -> context | None   in which the framework promises equal results of equal runs, bit for bit;
                                            None where it promises nothing
    memory(device) -> (held, peak) | None   bytes of device memory now and at most so far; None where it is not counted

and a network, which starts from the weights of `case`, has

    gradient(x, y) -> (loss, {name: [float]})
                                            of one batch of cases.Tensor; changes no parameter
    step(number) -> float                   one step of the optimizer on batch `number`; the loss, waited for
    parameters() -> {name: [float]}
    where() -> [(name, device, dtype)]      of each parameter, of its gradient and of the output: where they really lie

`models` is the module of envkit.smoke.models, `case` a cases.Case; names and layouts of tensors are the case's. `dtype`
is "float32", "float64", "tf32", or of autocast "bfloat16" or "float16"; `variant` is "eager" or "compiled". Devices are
named "cpu", "cuda:0".
"""
