"""What one more of something costs where there are few and where there are many.

Knows: processor time of either end, which a busy machine disturbs less than the clock; that of sockets the kernel's
share grows by itself, which is why sessions are held against the floor with as many. Does not know: why.
"""
import contextlib
import resource
import statistics
import subprocess

from programs import CannotMeasure, ended, figures, output_of, processor_ns
from table import Row, at_most

ROUNDS = 3
FLAT = 1.2  # of the cheapest before it
SESSIONS = (1, 10, 100, 1000, 10000)
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


def used_ns(sink, source):
    """Processor time of one run: (the sink's, the source's)."""
    with serving(*sink) as (process, port):
        sink_before, source_before = processor_ns(process), children_s()
        output_of(*source(port), limit_s=RUN_LIMIT_S)
        return processor_ns(process) - sink_before, (children_s() - source_before) * 1e9


def cost_ns(sink, source, units):
    """Of one unit, to either end: what a run of twice as many takes more, so that beginning and end cancel."""
    rounds = []
    for _ in range(ROUNDS):
        once = used_ns(sink, lambda port: source(port, 1))
        twice = used_ns(sink, lambda port: source(port, 2))
        rounds.append([(more - less) / units for less, more in zip(once, twice)])
    return [statistics.median(column) for column in zip(*rounds)]


def session_costs(bench):
    keep, floor = (bench / "keep", "run"), (bench / "floor", "sink", "run")
    costs = []
    descriptors = allow_descriptors()
    for sessions in SESSIONS:
        if sessions + 100 > descriptors:
            continue
        messages = max(10000, 3 * sessions)

        def bulk(port, times):
            return bench / "bulk", port, sessions, times * messages, 1024, "pipelined"

        def floor_source(port, times):
            return bench / "floor", "source", port, sessions, times * messages, 1024, "pipelined"

        server, _ = cost_ns(keep, bulk, messages)
        sink, client = cost_ns(floor, bulk, messages)
        _, source = cost_ns(floor, floor_source, messages)
        costs += [("sessions", sessions, "server", server), ("sessions", sessions, "floor's sink", sink)]
        costs += [("sessions", sessions, "client", client), ("sessions", sessions, "floor's source", source)]
    return costs


def size_costs(bench, with_gib):
    costs = []
    for size in SIZES + ((GIB,) if with_gib else ()):
        messages = max((32 << 20 if size < 1 << 20 else 128 << 20) // size, 1)

        def bulk(port, times):
            return bench / "bulk", port, 1, times * messages, size, "pipelined"

        both = cost_ns((bench / "keep", "run"), bulk, messages * size / 1024)
        costs += [("octets", size, end, cost) for end, cost in zip(("server", "client"), both)]
    return costs


def recipient_costs(bench):
    costs = []
    for count in RECIPIENTS:
        messages = 50000 // count

        def bulk(port, times):
            return bench / "bulk", port, 1, times * messages, 1024, "pipelined", count

        both = cost_ns((bench / "keep", "run"), bulk, messages * count)
        costs += [("recipients", count, end, cost) for end, cost in zip(("server", "client"), both)]
    return costs


# ---- in memory ----


def captured_costs(bench):
    costs = []
    for count in CAPTURED:
        measured = figures(output_of(bench / "growth", "mailbox", count))
        costs += [("captured", count, what, measured[f"{what}_ns"]) for what in CAPTURED_WHAT]
    return costs


def slow_costs(bench):
    costs = []
    for end, counts in (("server", SLOW_SIZES), ("client", SLOW_LINES)):
        for count in counts:
            measured = figures(output_of(bench / "growth", "octets", end, count))
            costs.append((f"slow {end}", count, end, measured["octet_ns"]))
    return costs


def measure(bench, with_gib):
    """[(group, how many, what, ns)]"""
    costs = session_costs(bench) + size_costs(bench, with_gib) + recipient_costs(bench)
    if any(cost <= 0 for *_, cost in costs):
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
    least, most = values[0], 1
    for value in values[1:]:
        most = max(most, value / least)
        least = min(least, value)
    return most


def row(group, what, by_count, floor):
    """Floor: {count: ns} of what is judged with it, or None."""
    text, in_words = NAMES[group]
    name = text.format(what=CAPTURED_WHAT.get(what, what), counts=" ".join(in_words(count) for count in by_count))
    costs = list(by_count.values())
    shown = " ".join(f"{cost:,.0f}" for cost in costs) + " ns"
    ratios = [cost / floor[count] for count, cost in by_count.items()] if floor else costs
    if floor:
        shown += "; to the floor " + " ".join(f"{ratio:.2f}" for ratio in ratios)
    if what in FLOORS.values() or (group, what) == ("captured", "get"):
        return Row(name, shown)  # the kernel's share, the memory's
    growth = growth_of(ratios)
    return at_most(name, growth, FLAT, f"{shown}; {growth:.2f}")


def rows(costs):
    of = series(costs)
    return [
        row(group, what, by_count, of.get((group, FLOORS.get(what))))
        for (group, what), by_count in of.items()
    ]
