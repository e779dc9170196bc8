"""Every reader of reports, listings and tools but NVIDIA's, on one mixed paste: whole, mangled, huge and hostile."""

from __future__ import annotations

import random
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envkit.facts import Facts, decode, encode
from envkit.readers import discover, plain_text, read_all

NAMES = (
    *("torch.utils.collect_env", "accelerate env", "lightning environment details", "ultralytics", "tf_env_collect.sh"),
    *("jax.print_environment_info", "mmengine, detectron2 or sglang environment", "python session", "pip"),
    *("conda list", "environment variables", "lscpu", "/proc/cpuinfo", "free, meminfo, df"),
    *("os-release, uname, ldd, nvcc", "docker info", "rocm-smi", "rocminfo", "amd-smi", "tpu-info"),
)
PASTE = """\
Hi all, since the update nothing works. `python -m torch.utils.collect_env` says
```
PyTorch version: 2.5.1+cu121
CUDA used to build PyTorch: 12.1
OS: Ubuntu 22.04.4 LTS (x86_64)
GCC version: (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0
Python version: 3.10.14 (main, Mar 20 2024, 12:45:18) [GCC 12.3.0] (64-bit runtime)
Python platform: Linux-5.15.0-91-generic-x86_64-with-glibc2.35
Is CUDA available: False
GPU models and configuration: GPU 0: NVIDIA A10
  MIG 3g.40gb     Device  0:
Nvidia driver version: 535.104.05
CPU(s):                          16
Core(s) per socket:              8
Socket(s):                       1
Flags:                           fpu avx
[pip3] torch==2.5.1+cu121
[conda] pytorch-mutex             1.0                        cuda    pytorch
```
- `Accelerate` version: 0.33.0
- Platform: Linux-5.15.0-91-generic-x86_64-with-glibc2.35
- PyTorch version (GPU?): 2.5.1+cu121 (False)
* CUDA:
\t- GPU:
\t\t- NVIDIA A10
\t- available:         False
* Packages:
\t- numpy:             1.26.4
Ultralytics 8.3.0 Python-3.10.14 torch-2.5.1+cu121 CUDA:0 (NVIDIA A10, 22500MiB)
== check pips ===================================================
protobuf                3.19.4
== tensorflow import ============================================
ImportError: libcudart.so.11.0: cannot open shared object file
== env ==========================================================
jax:    0.4.33
jaxlib: 0.4.33
device info: NVIDIA A10-1, 1 local devices"
platform: uname_result(system='Linux', node='x', release='5.15.0-91-generic', version='#1', machine='x86_64')
sys.platform: linux
CUDA available: False
GPU 0,1: Tesla T4
PyTorch: 2.5.1+cu121
  - NVCC architecture flags: -gencode;arch=compute_80,code=sm_80
>>> torch.cuda.is_available()
False
$ pip list
Package    Version
---------- -------
torch      2.5.1+cu121
keras @ file:///w/keras-3.0-py3-none-any.whl
[{"name": "x", "version": "1.0"}]
Requirement already satisfied: numpy in /v/lib (from torch) (1.26.4)
├── h5py [required: Any, installed: 3.10.0]
# packages in environment at /opt/conda:
numpy                     1.26.4          py310h5f9d8c6_0  main
LD_LIBRARY_PATH=/usr/local/cuda/lib64
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Xeon
flags\t\t: fpu lm
              total        used        free      shared  buff/cache   available
Mem:           62Gi       1.1Gi        18Gi       8.6Mi       3.9Gi        60Gi
Filesystem      Size  Used Avail Use% Mounted on
shm              64M     0   64M   0% /dev/shm
Linux node1 5.15.0-91-generic #101-Ubuntu SMP Tue Nov 14 2023 x86_64 GNU/Linux
 Server Version: 28.2.1
 Runtimes: nvidia runc
{"card0": {"Card series": "Vega 20", "VRAM Total Memory (B)": "17163091968"}, "system": {"Driver version": "6.7"}}
GPU[0]\t\t: PCI Bus: 0000:26:00.0
HSA Agents
Agent 2
  Name:                    gfx90a
  Device Type:             GPU
  BDFID:                   50432
GPU: 0
    ASIC:
        MARKET_NAME: AMD Instinct MI300X
    VRAM:
        SIZE: 196592 MB
| BDF                        GPU-Name |
| 0000:05:00.0    AMD Instinct MI300X | 0 %      40 °C |
|   0       0       7        SPX/NPS1 |    283/196592 MB |
libtpu version: 0.0.19
| /dev/vfio/0 | TPU v6e chip | 1 | 1469 |
| 0    | 18.00 GiB / 31.25 GiB |    100.00% |
"""
HOSTILE = (
    *("[", '{"a":', "[\n", " ", "\t\n", "\n", "a" * 99, "a.", "a: ", "(", ") ", "1", "1" * 5000 + "\n", "'", '"', "| "),
    *(
        "a==1\n",
        "a @ /a-",
        "-e a#egg=",
        "GPU 0: ",
        "GPU[0]: a: ",
        "- a version (",
        "* CUDA:\n",
        "== a",
        "[conda] a 1 b\n",
    ),
    *(
        "Requirement already satisfied: a in (",
        "[required: ",
        "Successfully installed ",
        "CUDA_HOME=' ",
        "Linux a 5.1 #1 ",
    ),
)
PIECES = ('"', "9" * 500, "\x00", "²", "٣", "N/A", "{", ":", "-1")


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_finds_its_part_of_a_mixed_paste(name: str) -> None:
    assert discover()[name].read(plain_text(PASTE))


def test_all_parts_make_one_set_of_facts_that_can_be_written_and_read() -> None:
    found = read_all("\n".join(f"> {line}" for line in PASTE.split("\n")))
    assert set(NAMES) <= set(found.sources)
    assert decode(encode(found), "again") == found
    assert found.torch.facts
    assert (found.torch.facts.cuda, found.torch.facts.build_known) == ("12.1", True)
    assert found.system.facts
    assert found.system.facts.kernel == "5.15.0-91-generic"


def mangled(text: str, seed: int) -> str:
    """The text with lines lost, doubled, shifted, cut, and characters replaced."""
    chance = random.Random(seed)

    def changed(line: str) -> list[str]:
        what, place = chance.random(), chance.randrange(len(line) + 1)
        if what < 0.1:
            return []
        if what < 0.2:
            return [" " * chance.randrange(9) + line.lstrip()]
        if what < 0.3:
            return [line[:place]]
        if what < 0.4:
            return [line[:place] + chance.choice(PIECES) + line[place + 1 :]]
        return [line] * (2 if what > 0.95 else 1)

    return "\n".join(piece for line in text.split("\n") for piece in changed(line))


@pytest.mark.parametrize("name", NAMES)
def test_mangled_text_never_stops_a_reader_and_its_facts_stay_of_their_types(name: str) -> None:
    reader = discover()[name]
    for seed in range(150):
        found = reader.read(plain_text(mangled(PASTE, seed)))
        assert decode(encode(found or Facts()), "again") == (found or Facts())
    for end in range(0, len(PASTE), 61):
        reader.read(PASTE[:end])
        reader.read(PASTE[end:])


@given(text=st.text(), place=st.integers(0, len(PASTE)), length=st.integers(0, 200))
@settings(max_examples=150, deadline=None)
def test_random_text_in_a_paste_never_stops_a_reader(text: str, place: int, length: int) -> None:
    readers = discover()
    for sample in (text, PASTE[:place] + text + PASTE[place + length :]):
        for name in NAMES:
            readers[name].read(sample)


@pytest.mark.parametrize("name", NAMES)
def test_time_is_linear_in_the_size_of_hostile_text(name: str) -> None:
    read = discover()[name].read

    def seconds(size: int) -> float:
        texts = [PASTE + (piece * (size // len(piece)))[:size] + PASTE for piece in HOSTILE]
        started = time.process_time()
        for text in texts:
            read(text)
        return time.process_time() - started

    small, large = seconds(10_000), seconds(80_000)
    assert large < 3 * 8 * max(small, 0.02)


def test_memory_is_bounded_however_many_packages_a_text_names() -> None:
    text = "".join(f"p{number}==1.{number}\n" for number in range(200_000))
    tracemalloc.start()
    try:
        for name in NAMES:
            discover()[name].read(text)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "prefix", ["2026-01-05T10:00:00.1234567Z ", "(worker pid=175) ", "(worker pid=175, ip=10.130.4.26) "]
)
def test_what_a_jobs_log_writes_before_every_line_is_taken_away(prefix: str) -> None:
    text = "| a | b |\n\nPyTorch version: 2.9.0\n"
    assert plain_text("".join(f"{prefix}{line}\n" for line in text.split("\n"))).startswith(text)


def test_a_time_that_belongs_to_a_line_stays() -> None:
    for text in ("2026-01-05T10:00:00,123456+00:00 usb\n", "(see pid 17) x\n", "2026-01-05T10:00:00Z x\n"):
        assert plain_text(text) == text


def test_pictures_are_left_out_of_bytes() -> None:
    assert plain_text("- 🤗 Tool │ é\n".encode()) == "-  Tool │ é\n"
