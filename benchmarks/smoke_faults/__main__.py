"""Faults by checks: what envkit's smoke notices of each, and what "the loss went down" would have said.

    python -m benchmarks.smoke_faults --python INTERPRETER [--seeds 20] [--first 100] [--cases mlp lstm]

--python: an interpreter with NumPy. Each fault is put into a float32 implementation in NumPy, for each seed anew; what
it computes is judged as a framework's would be. A figure is a deviation by its tolerance, the largest of the check:
over 1 the check notices it; of a fault the seed that shows it least, of what is right the one that is off most. Right
are NumPy, and those of PyTorch, TensorFlow and JAX that INTERPRETER has (--frameworks, --dtypes, --variants, --device,
--steps). The tolerances were set on seeds below 100, those of a GPU on seeds below 20. Exits with 1 where a fault above
float32's rounding is missed in any seed, or what is right is faulted.

--save FILE keeps what was computed; --records FILE judges that again, by the tolerances of now. --deviations prints the
largest of each measure of what is right: what tolerances are set by.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from envkit.knowledge import Knowledge
from envkit.smoke.cases import OPTIMIZERS, prescribed
from envkit.smoke.judging import Golden, Judgement, Observation, judge, judge_optimizer, tolerance_of
from envkit.smoke.judging.precision import ASKED

TRAVELS = (20, 200)
ROOT = Path(__file__).parents[2]
CASES = ("mlp", "cnn", "cnn-smooth", "lstm", "transformer")
FRAMEWORKS = ("torch", "tensorflow", "jax")
CHECKS = ("gradient", "optimizer", "trajectory")
TABLE = Knowledge().smoke
NEAR_ROUNDING = {"matmul noise 1e-5", "conv2 x(1+1e-5)"}
"""Faults of the size of float32's own rounding: reported, but may be missed."""
STARTED = time.perf_counter()


class Key(NamedTuple):
    """A line of the table: "" is no fault."""

    fault: str
    case: str
    who: str


class Found(NamedTuple):
    """By seed the judgements, and whether the loss went down."""

    judgements: dict[int, list[Judgement]]
    fell: list[bool]


def records(python: str, task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the child computed, as it comes."""
    quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment = {**os.environ, **quiet, "KERAS_BACKEND": "tensorflow", "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [python, "-m", "benchmarks.smoke_faults.child", json.dumps(task)]
    # What frameworks say on stderr is of no interest unless the child fails.
    with subprocess.Popen(
        argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        assert child.stderr
        for line in child.stdout:
            yield json.loads(line)
        said = child.stderr.read()
    if child.returncode:
        raise SystemExit(f"{python}: the child for {task['case']} ended with {child.returncode}\n{said[-2000:]}")


def judged(record: dict[str, Any], golden: Golden, form: Any, run: Observation) -> list[Judgement]:
    if "observation" in record:
        return judge(msgspec.convert(record["observation"], Observation), golden, form, TABLE)
    tolerance = tolerance_of(run, form, TABLE)
    given = prescribed(record["seed"])
    return [judge_optimizer(OPTIMIZERS[record["optimizer"]], form, record["values"], given, tolerance)]


def fell(losses: list[float | None]) -> bool:
    """What a test by the loss alone would say: in the last round through the batches it is below that of the first."""
    known = [loss for loss in losses if loss is not None]
    return len(known) == len(losses) and sum(known[-4:]) < sum(known[:4])


def measure(lines: Iterable[dict[str, Any]]) -> dict[Key, Found]:
    """The lines of the table that records stand for."""
    found: dict[Key, Found] = defaultdict(lambda: Found(defaultdict(list), []))
    golden, form = None, "torch"
    for record in lines:
        if "task" in record:
            how = {what: record["task"][what] for what in ("case", "framework", "device", "dtype", "variant")}
            run = Observation(**how)
            who = f"{run.framework} {run.dtype} {run.device} {run.variant}".removesuffix(" cpu eager")
            continue
        if "golden" in record:
            golden, form = msgspec.convert(record["golden"], Golden), record["form"]
            passed = time.perf_counter() - STARTED
            print(f"  {passed:5.0f} s: {who} {run.case}, seed {record['seed']}", file=sys.stderr, flush=True)
            continue
        assert golden
        line = found[Key(record["fault"] or "", run.case, who)]
        line.judgements[record["seed"]] += judged(record, golden, form, run)
        losses = record.get("observation", {}).get("losses")
        if losses:
            line.fell.append(fell(losses))
    return found


def row(key: Key, found: Found) -> str:
    cells = ""
    for check in CHECKS:
        margins = [
            max(measure.margin for measure in judgement.measures)
            for judgements in found.judgements.values()
            for judgement in judgements
            if judgement.check == check and judgement.measures
        ]
        figure = (min if key.fault else max)(margins, default=None)
        cells += f"{'-' if figure is None else f'{figure:.2g}' if figure < 100 else f'{figure:.0f}':>10}"
    caught = sum(map(noticed, found.judgements.values()))
    seen, loss = f"{caught}/{len(found.judgements)}", f"{sum(found.fell)}/{len(found.fell)}" if found.fell else "-"
    return f"{key.fault or key.who:<34}{key.case:<12}{cells}{seen:>10}{loss:>10}"


def noticed(judgements: list[Judgement]) -> bool:
    return any(judgement.status == "fail" for judgement in judgements)


def deviations(found: Found) -> Iterator[str]:
    """The largest of each measure, its tolerance, where and in which seed; and the precisions that were seen."""
    largest: dict[str, tuple[float, str]] = {}
    precisions: Counter[str] = Counter()
    for seed, judgements in found.judgements.items():
        for judgement in judgements:
            if judgement.check == "gradient":
                precisions[judgement.precision or "?"] += 1
            for m in judgement.measures:
                words = f"  {judgement.check} {m.what:<18} {m.deviation:9.2e} of {m.tolerance}  seed {seed} {m.where}"
                name = f"{judgement.check} {m.what}"
                largest[name] = max(largest.get(name, (-1.0, "")), (m.deviation, words))
    yield from (words for _, words in largest.values())
    yield f"  seen as {', '.join(f'{name} {count}' for name, count in precisions.items())}"


def wrong(key: Key, found: Found) -> Iterator[str]:
    """What the checks should not have said, or should have."""
    for seed, judgements in found.judgements.items():
        if noticed(judgements) != bool(key.fault) and key.fault not in NEAR_ROUNDING:
            words = "; ".join(judgement.words for judgement in judgements if judgement.status == "fail")
            yield f"{'missed' if key.fault else 'false alarm'}: {key.fault or key.who} {key.case}, seed {seed}: {words}"


def has(python: str, module: str) -> bool:
    source = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", source], check=False).returncode == 0


def sources(options: argparse.Namespace) -> Iterator[Iterable[dict[str, Any]]]:
    """The records of each task."""
    if options.records:
        for file in options.records:
            yield map(json.loads, file)
        return
    there = [name for name in FRAMEWORKS if has(options.python, name)]
    asked = there if options.frameworks is None else options.frameworks
    runs = [] if options.no_faults else [("numpy", "float32", "eager")]
    runs += [(name, dtype, variant) for name in asked for variant in options.variants for dtype in options.dtypes]
    common = {"seeds": list(range(options.first, options.first + options.seeds)), "steps": options.steps}
    for who, dtype, variant in runs:
        device = "cpu" if who == "numpy" else options.device
        for case in options.cases:
            way = {"case": case, "framework": who, "dtype": dtype, "variant": variant, "device": device}
            yield kept(records(options.python, {**common, **way}), options.save)


def kept(lines: Iterable[dict[str, Any]], file: Any) -> Iterator[dict[str, Any]]:
    for line in lines:
        if file:
            file.write(json.dumps(line) + "\n")
        yield line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--frameworks", nargs="*", choices=FRAMEWORKS, default=None)
    parser.add_argument("--dtypes", nargs="+", choices=ASKED, default=("float32", "float64"))
    parser.add_argument("--variants", nargs="+", choices=("eager", "compiled"), default=("eager",))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, choices=TRAVELS, default=TRAVELS[0])
    parser.add_argument("--no-faults", action="store_true")
    parser.add_argument("--deviations", action="store_true")
    parser.add_argument("--save", type=argparse.FileType("a"))
    parser.add_argument("--records", type=argparse.FileType("r"), nargs="+")
    options = parser.parse_args()
    print(f"{'fault, or who is right':<34}{'case':<12}{'G':>10}{'O':>10}{'T':>10}{'noticed':>10}{'loss fell':>10}")
    problems: list[str] = []
    falls: list[bool] = []
    for lines in sources(options):
        for key, found in measure(lines).items():
            print(row(key, found), flush=True)
            if options.deviations and not key.fault:
                print(*deviations(found), sep="\n", flush=True)
            problems += wrong(key, found)
            falls += found.fell if key.fault else []
    print(f'"The loss went down" passes {sum(falls)} of {len(falls)} faulty trainings.')
    print("\n".join(problems) if problems else "No fault above rounding is missed, nothing right is faulted.")
    raise SystemExit(bool(problems))


if __name__ == "__main__":
    main()
