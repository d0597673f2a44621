#!/usr/bin/env python3
"""The house rules that a machine can check; scripts/lint runs this. Prints one line a breach."""

import pathlib
import re
import subprocess
import sys

# Who may include whose headers, and name whose functions. `tests` may all.
ARROWS = {
    "common": {"common"},
    "client": {"client", "common"},
    "server": {"server", "common"},
    "harness": {"harness", "client", "server", "common"},
}
PUBLIC_HEADERS = {  # these include each other by plain name
    "smtp_status.h": "common",
    "smtp_tls.h": "common",
    "smtp_client.h": "client",
    "smtp_pool.h": "client",
    "smtp_server.h": "server",
    "smtp_mailbox.h": "server",
    "smtp_receivers.h": "server",
    "smtp_harness.h": "harness",
    "smtp_relay.h": "harness",
}
PREFIXES = {"client": "smtp_client_", "server": "smtp_server_", "harness": "smtp_harness_"}

# The cores (*/protocol/) see bytes and are told the time: nothing else, directly or through a header.
# idn2: text in, text out.
CORE_SYSTEM_HEADERS = set(
    "assert ctype errno idn2 inttypes limits search stdarg stdbool stddef stdint stdio stdlib string strings sys/types".split()
)

BANNED = "strcpy strcat sprintf vsprintf strtok atoi atol gets gmtime localtime sleep usleep nanosleep".split()
BANNED_IN_LIBRARIES = "printf puts perror exit abort atexit signal sigaction".split()  # no prints, nothing global
SOCKET_CALLS = "send recv sendto recvfrom sendmsg recvmsg".split()  # outside common/

TOP = {*ARROWS, "tests", "scripts", "build", "CMakeLists.txt", "CMakePresets.json", "README.md"}  # and dot files

FUNCTION_LINES = 60
FILE_LINES = 500
TEST_FILE_LINES = 700  # cases side by side, not logic
# Functions that may be longer, each with its reason.
EXCUSED_FUNCTIONS = {}
EXCUSED_FILES = {}

root = pathlib.Path(__file__).resolve().parent.parent
breaches = []


def breach(path, line, text):
    breaches.append(f"{path.relative_to(root)}:{line}: {text}")


def without_comments(text):
    """The code alone: comments blanked, line breaks kept, strings emptied but for includes."""

    def blank(match):
        token = match.group(0)
        if token.startswith("/"):
            return re.sub(r"[^\n]", " ", token)
        return token if token.startswith("#") else '""' + "\\\n" * token.count("\n")

    return re.sub(r'#include[^\n]*|/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def includes(code):
    for match in re.finditer(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', code, re.M):
        yield code.count("\n", 0, match.start(2)) + 1, match.group(1) == "<", match.group(2)


def folder_of(include):
    return PUBLIC_HEADERS.get(include) or (include.split("/")[0] if "/" in include else None)


def calls(code, names):
    for match in re.finditer(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(", code):
        yield code.count("\n", 0, match.start()) + 1, match.group(1)


def check_arrows(path, folder, code):
    for line, is_system, include in includes(code):
        target = folder_of(include)
        if not is_system and target in {*ARROWS, "tests"} and target not in ARROWS[folder]:
            breach(path, line, f"{folder}/ must not include {include}")
    for other in PREFIXES.keys() - ARROWS[folder]:
        for match in re.finditer(r"\b" + PREFIXES[other], code):
            breach(path, code.count("\n", 0, match.start()) + 1, f"{folder}/ must not name {PREFIXES[other]}*")


def system_headers(path, code, seen):
    """(header, through which file) of all that the file includes, through the project's own headers too."""
    for _, is_system, include in includes(code):
        if is_system:
            yield include, path
            continue
        below = [root / include, path.parent / include, root / (folder_of(include) or "") / include]
        header = next((p for p in below if p.exists()), None)
        if header and header not in seen:
            seen.add(header)
            yield from system_headers(header, without_comments(header.read_text()), seen)


def check_core(path, code):
    for header, through in system_headers(path, code, set()):
        if header.removesuffix(".h") not in CORE_SYSTEM_HEADERS:
            breach(path, 1, f"core includes <{header}> (in {through.relative_to(root)})")


def check_calls(path, folder, code):
    relative = path.relative_to(root)
    in_library = folder in ("common", "client", "server") or (folder == "harness" and len(relative.parts) == 2)
    banned = BANNED + (BANNED_IN_LIBRARIES if in_library and "examples" not in relative.parts else [])
    banned += SOCKET_CALLS if folder not in ("common", "tests") else []
    for line, name in calls(code, banned):
        breach(path, line, f"{name}() is not used here")


def check_functions(paths):
    command = ["ctags", "-x", "--languages=C", "--langmap=C:.c.h", "--kinds-C=f", "--_xformat=%n %e %N %F", *map(str, paths)]
    for entry in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        first, last, name, path = entry.split(" ", 3)
        length = int(last) - int(first) + 1 if last.isdigit() else 0
        if length > FUNCTION_LINES and name not in EXCUSED_FUNCTIONS:
            breach(pathlib.Path(path), first, f"{name}() has {length} lines, more than {FUNCTION_LINES}")


def check_file(path):
    folder = path.relative_to(root).parts[0]
    text = path.read_text()
    code = without_comments(text)
    lines = text.count("\n")
    most = TEST_FILE_LINES if folder == "tests" else FILE_LINES
    if lines > most and str(path.relative_to(root)) not in EXCUSED_FILES:
        breach(path, lines, f"{lines} lines, more than {most}")
    if not text.lstrip().startswith("/*"):
        breach(path, 1, "opens without a comment on what it knows")
    for match in re.finditer(r"\b(TODO|FIXME|HACK)\b", text):
        breach(path, text.count("\n", 0, match.start()) + 1, f"left open: {match.group(1)}")
    if folder in ARROWS:
        check_arrows(path, folder, code)
    if "protocol" in path.relative_to(root).parts[:-1] and folder in ("client", "server"):
        check_core(path, code)
    check_calls(path, folder, code)


def names_of_tests():
    """Every test as "suite.name", those that macros make included: their names are put together there."""
    names = set()
    for path in (root / "tests").rglob("*.c"):
        names.update(map(".".join, re.findall(r"^TEST(?:_ALONE)?(?:_WITHIN)?\((\w+), (\w+)", path.read_text(), re.M)))
    return names


def check_top():
    for path in root.iterdir():
        if path.name not in TOP and not path.name.startswith("."):
            breach(path, 1, "does not belong at the top")


def check_table(path, tests, faces):
    """The rows of a table "| ... | Here | Test |": what they name is there."""
    lines = path.read_text().splitlines()
    inside = False
    for number, line in enumerate(lines, 1):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells[1:] == ["Here", "Test"]:
            inside = True
        elif not cells:
            inside = False
        elif inside and len(cells) != 3:
            breach(path, number, f"{len(cells)} cells where a row has 3")
        elif inside and not set(cells[0]) <= set("-: "):
            for name in re.findall(r"\bsmtp_\w*[a-z0-9]\b|\bSMTP_\w+", cells[1]):
                if not re.search(r"\b" + name + r"\b", faces):
                    breach(path, number, f"{name} is in no public header")
            named = re.findall(r"`(\w+\.\w+)`", cells[2])
            for name in [n for n in named if n not in tests]:
                breach(path, number, f"there is no test {name}")
            if not named:
                breach(path, number, "no test is named")


def check_known_failures(tests):
    """Each row of the list has its test, each such test its row, and above it where that went wrong."""
    path = root / "tests/known_failures.tsv"
    rows = [line.split("\t")[0] for line in path.read_text().splitlines()[1:]]
    there = {name.split(".")[1] for name in tests if name.startswith("known_failures.")}
    for number, row in enumerate(rows, 2):
        if row not in there:
            breach(path, number, f"there is no test known_failures.{row}")
    for row in sorted(there - set(rows)):
        breach(path, 1, f"known_failures.{row} has no row")
    for source in sorted((root / "tests").rglob("known_failures_*.c")):
        text = source.read_text()
        for match in re.finditer(r"^TEST(?:_ALONE)?(?:_WITHIN)?\(known_failures, (\w+)", text, re.M):
            if not text[: match.start()].endswith("*/\n"):
                breach(source, text.count("\n", 0, match.start()) + 1, f"{match.group(1)}: where it went wrong is not said above")


def main():
    faces = "".join((root / folder / header).read_text() for header, folder in PUBLIC_HEADERS.items())
    tests = names_of_tests()
    check_top()
    check_known_failures(tests)
    for path in (root / "README.md", root / "client/README.md", root / "server/README.md"):
        check_table(path, tests, faces)
    paths = sorted(p for f in [*ARROWS, "tests"] for p in (root / f).rglob("*.[ch]"))
    for path in paths:
        check_file(path)
    check_functions(paths)
    print("\n".join(breaches), end="\n" if breaches else "")
    return 1 if breaches else 0


sys.exit(main())
