"""Instructions a message in each core, counted by valgrind and held against a budget.

Knows: tests/bench/instructions.c, which runs a core in memory, and instructions.budget. Counts are the same in every
run, on a busy machine too, but differ with the compiler and the C library: where these are others than the budget's,
nothing is judged.
"""
import os
import platform
import re
import shutil
import subprocess

from programs import ROOT, RUN_LIMIT_S, CannotMeasure
from table import Row, at_most

ENDS = ("server", "client")
WAYS = ("step", "pipelined", "bdat")
COUNT = 1000  # messages of the shorter run; the longer has twice as many, so what comes before the first cancels
BUDGET = ROOT / "tests/bench/instructions.budget"


def toolchain():
    """What the counts depend on."""
    compiler = subprocess.run(["gcc", "-dumpfullversion"], stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        avx2 = " avx2" if re.search(r"^flags.*\bavx2\b", lines.read(), re.M) else ""  # the C library chooses by it
    return f"gcc {compiler}, {os.confstr('CS_GNU_LIBC_VERSION')}, {platform.machine()}{avx2}"


def read_budget():
    """(the toolchain it is for, {(end, way): instructions})"""
    made_with, budget = None, {}
    for line in BUDGET.read_text(encoding="ascii").splitlines():
        if line.startswith("made with: "):
            made_with = line.removeprefix("made with: ")
        elif line and not line.startswith("#"):
            end, way, instructions = line.split()
            budget[end, way] = int(instructions)
    return made_with, budget


def count(bench, end, way, messages):
    words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command = [*words, str(bench / "instructions"), end, way, str(messages)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=RUN_LIMIT_S, check=False)
    collected = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode != 0 or collected is None:
        raise CannotMeasure(f"instructions {end} {way}: exit status {result.returncode}\n{result.stderr}")
    return int(collected.group(1))


def measure(bench):
    """{(end, way): instructions a message}; None where there is no valgrind."""
    if shutil.which("valgrind") is None:
        return None
    return {
        (end, way): (count(bench, end, way, 2 * COUNT) - count(bench, end, way, COUNT)) / COUNT
        for end in ENDS
        for way in WAYS
    }


def rows(measured):
    made_with, budget = read_budget()
    table = []
    for (end, way), goal in budget.items():
        name = f"instructions a message, {end} core, {way}"
        instructions = measured[end, way] if measured else None
        if made_with == toolchain():
            table.append(at_most(name, instructions, goal))
        else:
            table.append(Row(name, f"{instructions:,.0f}" if measured else ""))
    return table
