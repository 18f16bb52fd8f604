"""Whole commands as a user starts them: wall time and peak memory of a process, medians, and the tightness it reports."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

QUICK = (("--help",), ("construct", "--help"), ("plan", "--target", "medain", "--eps", "1e-2"),
         ("construct", "--target", "f", "--eps", "nan"), ("construct", "--target", "x*foo(y)", "--eps", "0.1"),
         ("construct", "--target", "f", "--eps", "1e-2", "--device", "gpu"), ("certify", "missing"))
JOBS = (("f", "1e-2", "3", "1"), ("own-times-mean", "1e-2", "3", "1"), ("f", "1e-3", "2", "1"), ("f", "5e-2", "4", "1"),
        ("x[0]*mean(y[1])", "5e-2", "2", "2"))


def run(arguments: tuple[str, ...]) -> tuple[float, float, str]:
    """Run ``python -m uat`` once; return seconds, peak MiB and stdout."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "uat", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    output = process.stdout.read().decode()
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return time.perf_counter() - start, usage.ru_maxrss / 1024, output


def main() -> None:
    """Print one line a command."""
    for arguments in QUICK:
        seconds = statistics.median(run(arguments)[0] for _ in range(5))
        print(f"{seconds:6.2f} s          uat {' '.join(arguments)}")
    with tempfile.TemporaryDirectory() as folder:
        for i, (target, eps, n, d) in enumerate(JOBS):
            out = str(Path(folder) / f"run{i}")
            options = ("--target", target, "--eps", eps, "--n", n, "--d", d, "--method", "grid")
            seconds, peak, output = run(("construct", *options, "--out", out, "--json"))
            record = json.loads(output)
            planned = json.loads(run(("plan", *options, "--json"))[2])
            checked, checked_peak, verdict = run(("certify", out, "--json"))
            print(f"{seconds:6.2f} s {peak:5.0f} MiB uat construct {' '.join(options)}")
            print(f"{'':18} table {planned['table_entries']} predicted, {_entries(out)} built; certified "
                  f"{record['certified_bound']}, sampled {record['sampled_max']:.6g}, tightness {record['tightness']:.4f}")
            print(f"{checked:6.2f} s {checked_peak:5.0f} MiB uat certify: {json.loads(verdict)['status']}")


def _entries(run_directory: str) -> int:
    from safetensors.numpy import load_file

    arrays = load_file(Path(run_directory) / "weights.safetensors")
    return max(len(array) for name, array in arrays.items() if name.endswith(".values"))


if __name__ == "__main__":
    main()
