"""What every part of scripts/bench needs: where things are, and programs that are run and end.

Knows: the folders, how a program's figures are read. Does not know: what is measured.
"""
import contextlib
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RUN_LIMIT_S = 60  # no single program runs longer


class CannotMeasure(Exception):
    """Something is missing, or a program failed; the text says which."""


def output_of(*command, limit_s=RUN_LIMIT_S):
    """What a program printed; raises CannotMeasure when it failed."""
    result = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, text=True, timeout=limit_s, check=False
    )
    if result.returncode != 0:
        raise CannotMeasure(f"{Path(command[0]).name}: exit status {result.returncode}")
    return result.stdout


def figures(text):
    """'name 1.5 other 2' as a dictionary."""
    words = text.split()
    return {name: float(value) for name, value in zip(words[::2], words[1::2])}


@contextlib.contextmanager
def ended(process):
    """Whatever happens inside, the process is gone afterwards."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def processor_ns(process):
    """The processor time of a process's threads that are there."""
    files = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(file.read_text(encoding="ascii").split()[0]) for file in files)


def build(targets=()):
    """Builds the release preset, or these targets of it; returns the folder of the benchmarks' programs."""
    words = [word for target in targets for word in ("--target", target)]
    for command in (["cmake", "--preset", "release", "-DSMTP_TESTS=ON"], ["cmake", "--build", "--preset", "release", *words]):
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        result = subprocess.run(command, cwd=ROOT, check=False, **streams)
        if result.returncode != 0:
            raise CannotMeasure(f"failed: {' '.join(command)}\n{result.stderr}")
    return ROOT / "build/release/bench"
