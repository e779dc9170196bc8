"""What in a kernel's log, or the fabric manager's, harms training. Pure: text in, messages out.

The text is as dmesg, journalctl -k, kern.log or /dev/kmsg have it, with or without times.
"""

from __future__ import annotations

import re
from collections import defaultdict

from envkit.facts.machine import KernelMessage

_MARKS = (  # what the kernel writes, and the kind of message it is; of two in one line the first here counts
    ("NVRM: Xid (", "xid"),
    (" SXid (", "sxid"),
    ("detected NVSwitch ", "sxid"),
    ("NVRM: API mismatch", "driver-mismatch"),
    ("installed in this system is not supported", "unsupported-gpu"),
    ("is not supported by the NVIDIA", "unsupported-gpu"),
    ("requires use of the NVIDIA open kernel modules", "unsupported-gpu"),
    ("not supported by open nvidia.ko", "unsupported-gpu"),
    ("ey was rejected by service", "key-rejected"),
    ("oading of unsigned module is rejected", "key-rejected"),
    ("oading of module with unavailable key is rejected", "key-rejected"),
    ("equired key not available", "key-rejected"),
    ("waiting for RPC from GSP", "gsp"),
    ("waiting for RPC response from GPU", "gsp"),
    ("NVRM: GPU0 kgsp", "gsp"),
    ("NVRM: _kgsp", "gsp"),
    ("NVRM: kgsp", "gsp"),
    ("GSP RM heartbeat timed out", "gsp"),
    ("has fallen off the bus", "nvrm"),
    ("NVRM: RmInitAdapter failed", "nvrm"),
    ("RmInitAdapter failed!", "nvrm"),
    ("rm_init_adapter failed", "nvrm"),
    ("NVRM: Cannot attach gpu", "nvrm"),
    ("NVRM: No NVIDIA ", "nvrm"),
    ("NVRM: This PCI I/O region assigned", "nvrm"),
    ("NVRM: The NVIDIA probe routine failed", "nvrm"),
    ("NVRM: None of the NVIDIA devices", "nvrm"),
    ("nvidia-peermem nv", "peermem"),
    ("amdgpu_job_timedout", "amdgpu-hang"),
    (" timeout, signaled seq=", "amdgpu-hang"),
    ("amdgpu: GPU reset begin", "amdgpu-hang"),
    ("qcm fence wait loop timeout", "amdgpu-hang"),
    ("MES failed to respond to msg", "amdgpu-hang"),
    ("due to an unsuccessful queues preemption", "amdgpu-hang"),
    ("uncorrectable hardware errors detected", "amdgpu-memory"),
    ("amdgpu: Fatal error during GPU init", "amdgpu-init"),
    ("Port module event[error]", "network-adapter"),
    ("device's health compromised", "network-adapter"),
    (": segfault at ", "segfault"),
    (" general protection fault ip:", "segfault"),
    (" trap invalid opcode ip:", "segfault"),
    ("Out of memory: Kill", "oom-kill"),
    ("emory cgroup out of memory: Kill", "oom-kill"),
    ("oom-kill:constraint=", "oom-kill"),
    ("PCIe Bus Error: severity=", "aer"),
    ("AER: Uncorrect", "aer"),
    ("AER: Corrected error", "aer"),
    ("AER: Multiple ", "aer"),
    ("mce: [Hardware Error]", "mce"),
    ("achine check events logged", "mce"),
    ("EDAC MC", "mce"),
    ("Memory failure: 0x", "mce"),
    ("ncorrected hardware memory error", "mce"),
    ("INFO: task ", "hung-task"),
    ("watchdog: BUG: soft lockup", "soft-lockup"),
    ("BUG: soft lockup", "soft-lockup"),
    ("atchdog detected hard LOCKUP", "soft-lockup"),
    ("detected stalls on CPU", "soft-lockup"),
    ("self-detected stall on CPU", "soft-lockup"),
    ("emounting filesystem read-only", "read-only-remount"),
    ("forced readonly", "read-only-remount"),
    ("I/O error, dev ", "io-error"),
    ("Buffer I/O error on ", "io-error"),
    ("critical medium error, dev ", "io-error"),
    ("no usable path - requeuing I/O", "io-error"),
    ("controller is down; will reset", "io-error"),
    ("Disk failure on ", "io-error"),
    ("attempt to access beyond end of device", "io-error"),
    ("I/O error while writing superblock", "io-error"),
    ("VFS: file-max limit", "file-max"),
    ("BUG: unable to handle ", "oops"),
    ("Kernel panic - not syncing", "oops"),
    ("kernel BUG at ", "oops"),
    ("general protection fault, probably", "oops"),
    ("general protection fault: 0", "oops"),
    ("nable to handle kernel ", "oops"),
)
_GPU_LIBRARY = re.compile(  # of GPUs and frameworks: what crashes elsewhere is another program's business
    r" in (?:lib(?:nccl|cu[a-z]|nv|torch|c10|tensorflow|amd|hsa|hip|roc|rccl|miopen|tpu|xla)|_pywrap|xla|jaxlib|_C\.)",
    re.IGNORECASE,
)
_MUST_ALSO_SAY = {  # of marks that begin harmless lines, too
    "EDAC MC": re.compile(r"EDAC MC\d{1,3}: \d{1,9} [CU]E "),
    "INFO: task ": re.compile(r"blocked for more than \d"),
    "detected NVSwitch ": re.compile(r"NVSwitch (?:non-)?fatal error"),
    "nvidia-peermem nv": re.compile(r"\bERROR\b"),
    " timeout, signaled seq=": re.compile(r"\bring \w"),
    "uncorrectable hardware errors detected": re.compile(r"\b[1-9]\d{0,18} (?:new )?uncorrectable"),
    ": segfault at ": _GPU_LIBRARY,
    " general protection fault ip:": _GPU_LIBRARY,
    " trap invalid opcode ip:": _GPU_LIBRARY,
    "Memory failure: 0x": re.compile(r"recovery action"),
}
_WORDS = (  # that many marks have: where one is missing, none of those is looked for
    *("NVRM: ", "not supported", "oading of ", "GSP", "f memory: Kill", "AER: ", "EDAC", "I/O error", "soft lockup"),
    *("amdgpu", "BUG", "stall", " fault", "hardware ", "rror", "controller", "emory"),
)
_XID = re.compile(
    r"S?Xid \((?:PCI:)?([0-9a-fA-F:.]{4,20})(?: GPU-I:\d{1,3})?\):? (\d{1,5})"
    r"(?:, pid='?(?:\d{1,8}|<[^>]{0,20}>)'?)?(?:, name=([^,\s]{1,60}))?"
)
_SWITCH_ERROR = re.compile(r"error (\d{4,6}) .{0,60}pci bus id ([0-9a-fA-F:.]{4,20})")
_VICTIM = re.compile(r"Kill(?:ed)? process \d{1,8} \(([^)\n]{1,60})\)|\btask=([^,\s]{1,60})")
_PROCESS_OF = {
    "segfault": re.compile(r"([^\s:\[\]]{1,60})\[\d{1,8}\]:? (?:segfault|general|trap)"),
    "hung-task": re.compile(r"task ([^:\n]{1,60}):\d{1,8} blocked"),
}
_ADDRESS = re.compile(r"\b([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])\b", re.IGNORECASE)
_SECONDS = re.compile(r"\[\s{0,8}(\d{1,9}\.\d{3,6})\]")
_KMSG = re.compile(r"\d{1,3},\d{1,12},(\d{1,16}),[^;]{0,60};")
_PER_KIND = 1000
_LINE = 500


def kernel_messages(text: str) -> list[KernelMessage]:
    """The messages that matter, in their order: of each kind the last thousand. Takes time linear in the text."""
    kinds: dict[int, str] = {}
    missing = tuple(word for word in _WORDS if word not in text)
    for mark, kind in _MARKS:
        at = -1 if any(word in mark for word in missing) else text.find(mark)
        while at >= 0:
            start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
            end = len(text) if end < 0 else end
            also = _MUST_ALSO_SAY.get(mark)
            if start not in kinds and (not also or also.search(text, start, min(end, start + _LINE))):
                kinds[start] = kind
            at = text.find(mark, end)
    by_kind: dict[str, list[int]] = defaultdict(list)
    for start in sorted(kinds):
        by_kind[kinds[start]].append(start)
    chosen = sorted(start for starts in by_kind.values() for start in starts[-_PER_KIND:])
    return [_message(text[start : start + _LINE].split("\n", 1)[0], kinds[start]) for start in chosen]


def _message(line: str, kind: str) -> KernelMessage:
    code, where, process = None, None, None
    if kind in {"xid", "sxid"} and (found := _XID.search(line)):
        code, where, process = int(found[2]), _address(found[1]), found[3]
    elif kind == "sxid" and (found := _SWITCH_ERROR.search(line)):
        code, where = int(found[1]), _address(found[2])
    elif kind == "oom-kill" and (found := _VICTIM.search(line)):
        process = found[1] or found[2]
    elif kind in _PROCESS_OF and (found := _PROCESS_OF[kind].search(line)):
        process = found[1]
    elif found := _ADDRESS.search(line):
        where = found[1].lower()
    return KernelMessage(
        kind=kind,
        text=line.strip(),
        code=code,
        pci_address=where,
        process=process,
        seconds_since_boot=_since_boot(line),
    )


def _address(words: str) -> str | None:
    """As sysfs has it: "0000:9b:00" is "0000:9b:00.0"."""
    parts = words.lower().split(":")
    if len(parts) != 3 or not all(parts):
        return None
    return f"{parts[0][-4:]:0>4}:{parts[1]}:{parts[2]}" + ("" if "." in parts[2] else ".0")


def _since_boot(line: str) -> float | None:
    if found := _KMSG.match(line.strip()):
        return int(found[1]) / 1e6
    found = _SECONDS.search(line[:80])
    return float(found[1]) if found else None
