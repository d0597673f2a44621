"""What one more of something costs where there are few and where there are many.

Knows: processor time of either end, which a busy machine disturbs less than the clock; that of sockets the kernel's
share grows by itself, which is why sessions are held against the floor with as many. Does not know: why.
"""
import contextlib
import resource
import statistics
import subprocess
import sys

from programs import CannotMeasure, ended, figures, output_of, processor_ns
from table import Row, at_most

ROUNDS = 5
FLAT = 1.2  # of the cheapest before it
SESSIONS = (1, 10, 100, 1000, 10000, 50000)
SPARE_DESCRIPTORS = 100  # beside the sessions'
SESSIONS_A_SOURCE = 25000  # an address has 28,232 ports to connect from (ip_local_port_range); more take several
SIZES = (1 << 10, 16 << 10, 256 << 10, 4 << 20, 64 << 20)
GIB = 1 << 30
RECIPIENTS = (1, 10, 100, 1000, 10000)
CAPTURED = (1, 10, 100, 1000, 10000, 100000, 1000000)
SLOW_SIZES = (1 << 10, 16 << 10, 256 << 10, 4 << 20)
SLOW_LINES = (10, 100, 1000)
RUN_LIMIT_S = 100  # of one run with the most sessions, on a slow machine

CAPTURED_WHAT = {
    "put": "to keep one",
    "cursor": "to keep it and take it by a cursor",
    "count": "to ask whether so many are there",
    "get": "to look up any (its memory is cold where there are many)",
    "wait": "harness: to keep it and wait for it",
    "expect": "harness: to keep it and expect it",
}


# ---- two ends, each in a process of its own ----


def allow_descriptors():
    """Returns how many a process may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextlib.contextmanager
def serving(*command):
    """(process, port)"""
    words = [str(word) for word in command]
    with ended(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)) as process:
        yield process, int(process.stdout.readline())


def run_all(commands):
    """At once; raises CannotMeasure when one failed."""
    with contextlib.ExitStack() as stack:
        started = []
        for command in commands:
            words = [str(word) for word in command]
            started.append(stack.enter_context(ended(subprocess.Popen(words, stdout=subprocess.DEVNULL))))
        for process in started:
            if process.wait(timeout=RUN_LIMIT_S) != 0:
                raise CannotMeasure(f"{process.args[0]}: exit status {process.returncode}")


def used_ns(sink, source, times):
    """Processor time of one run: (the sink's, the source's)."""
    with serving(*sink) as (process, port):
        sink_before, source_before = processor_ns(process), children_s()
        run_all(source(port, times))
        return processor_ns(process) - sink_before, (children_s() - source_before) * 1e9


def rounds_of(runs):
    """{key: [(of one unit to the sink, to the source) in each round]} of {key: (sink, source, units)}: what a run of
    twice as many takes more, so that beginning and end cancel. Each round has all of them, as a machine is slower for
    seconds at a time."""
    rounds = {key: [] for key in runs}
    for _ in range(ROUNDS):
        for key, (sink, source, units) in runs.items():
            once, twice = used_ns(sink, source, 1), used_ns(sink, source, 2)
            rounds[key].append([(more - less) / units for less, more in zip(once, twice)])
    return rounds


def source_of(*program, sessions=1, messages, octets=1024, recipients=1):
    """What runs, for a port and a number of times as many messages: [command, ...], each from an address of its own
    where there are several."""
    parts = -(-sessions // SESSIONS_A_SOURCE)

    def commands(port, times):
        words = sessions // parts, times * messages // parts, octets, "pipelined", *([recipients] if recipients > 1 else [])
        return [(*program, f"127.0.0.{i + 2}>{port}" if parts > 1 else port, *words) for i in range(parts)]

    return commands


def session_costs(bench):
    """Where a process may not have as many descriptors, None."""
    keep, floor, bulk = (bench / "keep", "run"), (bench / "floor", "sink", "run"), (bench / "bulk",)
    pairs = {"ours": (keep, bulk), "mixed": (floor, bulk), "floors": (floor, (bench / "floor", "source"))}
    whose = {"server": ("ours", 0), "floor's sink": ("mixed", 0), "client": ("mixed", 1), "floor's source": ("floors", 1)}
    descriptors, runs = allow_descriptors(), {}
    for count in SESSIONS:
        if count + SPARE_DESCRIPTORS > descriptors:
            print(f"bench: no {count:,} sessions: a process may have {descriptors:,} descriptors (ulimit -Hn)", file=sys.stderr)
            continue
        messages = max(20000, min(3 * count, 100000))
        for pair, (sink, program) in pairs.items():
            runs[count, pair] = (sink, source_of(*program, sessions=count, messages=messages), messages)
    rounds, costs = rounds_of(runs), []
    for count in SESSIONS:
        each = {what: [both[end] for both in rounds.get((count, pair), [])] for what, (pair, end) in whose.items()}
        costs += [("sessions", count, what, statistics.median(column) if column else None) for what, column in each.items()]
    return costs


def both_costs(group, runs):
    return [
        (group, count, end, statistics.median(column))
        for count, rounds in rounds_of(runs).items()
        for end, column in zip(("server", "client"), zip(*rounds))
    ]


def size_costs(bench, with_gib):
    runs = {}
    for size in SIZES + ((GIB,) if with_gib else ()):
        messages = max((32 << 20 if size < 1 << 20 else 256 << 20) // size, 1)
        source = source_of(bench / "bulk", messages=messages, octets=size)
        runs[size] = ((bench / "keep", "run"), source, messages * size / 1024)
    return both_costs("octets", runs)


def recipient_costs(bench):
    runs = {}
    for count in RECIPIENTS:
        source = source_of(bench / "bulk", messages=50000 // count, recipients=count)
        runs[count] = ((bench / "keep", "run"), source, 50000)
    return both_costs("recipients", runs)


# ---- in memory ----


def least_of(commands):
    """{key: its figures, the least of each of the rounds}"""
    least = {}
    for _ in range(ROUNDS):
        for key, command in commands.items():
            measured = figures(output_of(*command))
            least[key] = {name: min(value, least.get(key, measured)[name]) for name, value in measured.items()}
    return least


def captured_costs(bench):
    least = least_of({count: (bench / "growth", "mailbox", count) for count in CAPTURED})
    return [("captured", count, what, least[count][f"{what}_ns"]) for count in CAPTURED for what in CAPTURED_WHAT]


def slow_costs(bench):
    of = [("server", count) for count in SLOW_SIZES] + [("client", count) for count in SLOW_LINES]
    least = least_of({key: (bench / "growth", "octets", *key) for key in of})
    return [(f"slow {end}", count, end, least[end, count]["octet_ns"]) for end, count in of]


def measure(bench, with_gib):
    """[(group, how many, what, ns; None: not as many here)]"""
    costs = session_costs(bench) + size_costs(bench, with_gib) + recipient_costs(bench)
    if any(cost is not None and cost <= 0 for *_, cost in costs):
        raise CannotMeasure("growth: the machine is too busy; twice as many messages took less time")
    return costs + captured_costs(bench) + slow_costs(bench)


# ---- the table ----


def octets(count):
    return next(f"{count >> shift} {unit}" for unit, shift in (("GiB", 30), ("MiB", 20), ("KiB", 10)) if count >> shift)


NAMES = {  # each with what costs, for whom, and the counts in words
    "sessions": ("{what}: a message of 1 KiB, sessions {counts}", "{:,}".format),
    "octets": ("{what}: a KiB of a message of {counts}", octets),
    "recipients": ("{what}: a recipient of {counts}", "{:,}".format),
    "captured": ("{what}, captured {counts}", "{:,}".format),
    "slow server": ("server: an octet that comes alone, of a message of {counts}", octets),
    "slow client": ("client: an octet that comes alone, of a reply of lines {counts}", "{:,}".format),
}
FLOORS = {"server": "floor's sink", "client": "floor's source"}


def series(costs):
    """{(group, what): {count: ns}}, in order."""
    of = {}
    for group, count, what, cost in costs:
        of.setdefault((group, what), {})[count] = cost
    return of


def growth_of(values):
    """The most that one is of the cheapest before it."""
    values = [value for value in values if value is not None]
    least, most = values[0], 1
    for value in values[1:]:
        most = max(most, value / least)
        least = min(least, value)
    return most


def in_words(values, pattern):
    return " ".join("-" if value is None else format(value, pattern) for value in values)


def row(group, what, by_count, floor):
    """Floor: {count: ns} of what is judged with it, or None."""
    text, name_of = NAMES[group]
    name = text.format(what=CAPTURED_WHAT.get(what, what), counts=" ".join(name_of(count) for count in by_count))
    shown = in_words(by_count.values(), ",.0f") + " ns"
    judged = list(by_count.values())
    if floor:
        judged = [None if cost is None else cost / floor[count] for count, cost in by_count.items()]
        shown += "; to the floor " + in_words(judged, ".2f")
    if what in FLOORS.values() or (group, what) == ("captured", "get"):
        return Row(name, shown)  # the kernel's share, the memory's
    growth = growth_of(judged)
    return at_most(name, growth, FLAT, f"{shown}; {growth:.2f}")


def rows(costs):
    of = series(costs)
    return [
        row(group, what, by_count, of.get((group, FLOORS.get(what))))
        for (group, what), by_count in of.items()
    ]
