"""What others do, beside this: aiosmtpd and npm smtp-server under the floor's source; curl and nodemailer, each one session
with one message after the other, into the floor's sink, nodemailer into this server, too. There is no goal; a cell of what the machine lacks is empty.

Knows: how each is run. Does not know: the floor (floor.c), this project's own figures but for the two rows beside.
"""
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from programs import ROOT, RUN_LIMIT_S, CannotMeasure, ended, figures, output_of
from table import Row

ROUNDS = 5
SESSIONS = 20
OCTETS = 1024
MESSAGES = {"this server": 20000, "this client": 20000, "curl": 2000}
MESSAGES["nodemailer"] = 50  # it writes the dot apart from the content, which Nagle's algorithm holds back: 40 ms a message
MESSAGES["nodemailer into this server"] = 1000  # which acknowledges at once what it has no reply to
FEW = 1000  # of the others
HERE = ROOT / "tests/bench"
SMTP_SERVER = ROOT / "build/peers/npm/node_modules/smtp-server"  # scripts/setup unpacks it there
NODEMAILER = Path("/usr/share/nodejs/nodemailer")  # Debian's


def into(sink, source):
    """The rate of a source into a sink that prints its port, and ends when its standard input does."""
    words = [str(word) for word in sink]
    with ended(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)) as process:
        port = process.stdout.readline()
        if not port:
            raise CannotMeasure(f"{' '.join(words)}: it does not listen")
        return source(int(port))


def curl_rate(port, count):
    """One process and one connection; its start counts, as one of so many."""
    with tempfile.NamedTemporaryFile("w", suffix=".eml") as content:
        header = "From: ann@example.com\r\nTo: bob@example.com\r\nSubject: session\r\n\r\n"
        content.write(header + ("x" * 70 + "\r\n") * ((OCTETS - len(header)) // 72))
        content.flush()
        one = f'url = "smtp://127.0.0.1:{port}/bench.test"\nmail-from = "ann@example.com"\n'
        one += f'mail-rcpt = "bob@example.com"\nupload-file = "{content.name}"\nsilent\n'
        begin_s = time.perf_counter()
        result = subprocess.run(
            ["curl", "-K", "-"], input="next\n".join([one] * count), text=True, stdout=subprocess.DEVNULL,
            timeout=RUN_LIMIT_S, check=False,
        )
        if result.returncode != 0:
            raise CannotMeasure(f"curl: exit status {result.returncode}")
        return count / (time.perf_counter() - begin_s)


def servers(bench, python):
    """{name: the command of a sink}"""
    node = shutil.which("node")
    found = {"this server": (bench / "keep", "nothing")}
    if python:
        found["aiosmtpd"] = (python, HERE / "sink_aiosmtpd.py")
    if node and SMTP_SERVER.exists():
        found["npm smtp-server"] = (node, HERE / "sink_smtp_server.js", SMTP_SERVER)
    return found


def clients(bench):
    """{name: (the command of its sink, the rate of its messages, of a port)}"""
    node, floor = shutil.which("node"), (bench / "floor", "sink", "run")
    words = (1, MESSAGES["this client"], OCTETS, "pipelined")
    found = {"this client": (floor, lambda port: figures(output_of(bench / "bulk", port, *words))["rate"])}
    if shutil.which("curl"):
        found["curl"] = (floor, lambda port: curl_rate(port, MESSAGES["curl"]))
    if node and NODEMAILER.exists():
        for name, sink in {"nodemailer": floor, "nodemailer into this server": (bench / "keep", "nothing")}.items():
            found[name] = (sink, lambda port, count=MESSAGES[name]: figures(
                output_of(node, HERE / "source_nodemailer.js", port, count, OCTETS)
            )["rate"])
    return found


def measure(bench, python):
    """{name: [messages a second of each round]}; they take turns."""
    floor, rates = bench / "floor", {}
    for _ in range(ROUNDS):
        for name, sink in servers(bench, python).items():
            words = (SESSIONS, MESSAGES.get(name, FEW), OCTETS, "pipelined")
            rate = into(sink, lambda port, words=words: figures(output_of(floor, "source", port, *words))["rate"])
            rates.setdefault(name, []).append(rate)
        for name, (sink, source) in clients(bench).items():
            rates.setdefault(name, []).append(into(sink, source))
    return rates


def rows(rates):
    what = {
        "keeping nothing, pipelined": ("this server", "aiosmtpd", "npm smtp-server"),
        "one session, one message after the other": (
            "this client", "curl", "nodemailer", "nodemailer into this server",
        ),
    }
    return [
        Row(f"{name}, {how}", f"{statistics.median(rates[name]):,.0f} messages/s" if name in rates else "")
        for how, names in what.items()
        for name in names
    ]
