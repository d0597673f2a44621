"""A message of 1 GiB from the client library into a Maildir, on the disk before the 250, beside dd into the same folder.

Knows: the clock and the processes' peak memory. The two take turns, as a disk is faster and slower by itself.
"""
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from programs import ROOT, CannotMeasure, ended, figures, output_of
from table import Row, at_least, at_most

OCTETS = 1 << 30
BLOCK_OCTETS = 1 << 20
ROUNDS = 3
GOAL = 0.5
GOAL_PEAK_MIB = 16  # beside the libraries' own some 8
RUN_LIMIT_S = 120


def dd_s(folder):
    words = ["dd", "if=/dev/zero", f"of={folder}/dd", f"bs={BLOCK_OCTETS}", f"count={OCTETS // BLOCK_OCTETS}", "conv=fsync"]
    begin_s = time.perf_counter()
    result = subprocess.run(words, stderr=subprocess.DEVNULL, check=False, timeout=RUN_LIMIT_S)
    if result.returncode != 0:
        raise CannotMeasure("dd failed: is there room for 2 GiB?")
    seconds = time.perf_counter() - begin_s
    Path(folder, "dd").unlink()
    return seconds


def peak_kib(process):
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.M).group(1))


def ours(bench, folder):
    """{seconds, peak_kib: the client's, server_kib}"""
    words = [str(bench / "keep"), "maildir", folder]
    with ended(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)) as process:
        measured = figures(output_of(bench / "large", int(process.stdout.readline()), OCTETS, limit_s=RUN_LIMIT_S))
        measured["server_kib"] = peak_kib(process)
    files = list(Path(folder, "new").iterdir())
    if len(files) != 1 or files[0].stat().st_size < OCTETS * 70 // 72:
        raise CannotMeasure("the message is not in the Maildir")
    files[0].unlink()
    return measured


def measure(bench):
    """[{seconds, dd_s, peak_kib, server_kib} of each round]"""
    rounds = []
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        for _ in range(ROUNDS):
            dd = dd_s(folder)
            rounds.append({**ours(bench, folder), "dd_s": dd})
    return rounds


def rows(rounds):
    seconds, dd = (statistics.median(each[name] for each in rounds) for name in ("seconds", "dd_s"))
    ratio = statistics.median(each["dd_s"] / each["seconds"] for each in rounds)
    peaks = {name: max(each[name] for each in rounds) / 1024 for name in ("server_kib", "peak_kib")}
    return [
        Row("1 GiB in one message into a Maildir", f"{seconds:.2f} s"),
        Row("1 GiB by dd, fsync at its end", f"{dd:.2f} s"),
        at_least("  1 GiB into a Maildir, this to dd", ratio, GOAL),
        at_most("  1 GiB into a Maildir, memory of server", peaks["server_kib"], GOAL_PEAK_MIB, unit=" MiB"),
        at_most("  1 GiB into a Maildir, memory of client", peaks["peak_kib"], GOAL_PEAK_MIB, unit=" MiB"),
    ]
