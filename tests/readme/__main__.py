"""Runs the commands of README.md and docs/by-hand.md as a reader would, and compares what they print with what the text shows.

    python tests/readme DIRECTORY-OF-THE-PROGRAMS [PAGE…]

Every fenced block counts. `sh` blocks are commands; in `console` blocks the lines after `$ ` are, and the rest is their output;
a block without commands is the output of the last command above it. What is treated in another way stands in the lists below,
with the reason. The commands of a page share one shell; those that do not end by themselves get a terminal of their own, in
which Ctrl-C ends one before the next begins. Ids, moments and codes are compared by shape, `…` stands for any lines.
"""

import difflib
import os
import pathlib
import re
import signal
import sys
import tempfile
import time

from shell import Shell, Terminal, free_ports, port_is_free, wait_for_port

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = ("README.md", "docs/by-hand.md")

# Commands that are not run, each with the reason.
NOT_RUN = {"make test": "it takes ten minutes, and the continuous integration runs it beside this"}
# Commands that go on until Ctrl-C, and what they say once they are up.
ENDLESS = {"make run": "Ctrl-C stops everything", "target/debug/vouch-payments serve": "ready"}
# Blocks, by how they begin, that belong to another command than the one above them.
BELONGS_TO = {"2025-11-29  Harbour Studio joins": "make demo"}
# Blocks, by how they begin, that are files, and the command that reads them.
FILES = {"earning_id,referee,date": "make -s demo INPUT={file}"}

# Commands that a reader may have to repeat, by a word in them, and the reason.
AWAITED = {"ReferralService/EnrolReferrer": "the account travels there as an event"}

SHAPES = [
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"), "<moment>"),
    (re.compile(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b"), "<code>"),
    (re.compile(r"([#?])token=[\w-]{43}(?![\w-])"), r"\1token=<token>"),
    (re.compile(r"[ \t]+"), " "),
]


def main() -> int:
    # Either ends this as an exception does, so that nothing that was started is left behind.
    for ends in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(ends, lambda *_: sys.exit("took too long, or was asked to stop"))
    programs = pathlib.Path(sys.argv[1]).resolve()
    os.chdir(ROOT)
    *services, nats = free_ports(5)
    services = range(7101, 7105) if all(map(port_is_free, range(7101, 7105))) else services
    nats = 4222 if port_is_free(4222) else nats
    for page in sys.argv[2:] or PAGES:
        with tempfile.TemporaryDirectory() as scratch:
            Reader(page, programs, services, nats, pathlib.Path(scratch)).read()
    return 0


class Reader:
    """Somebody who does what one page says."""

    def __init__(self, page: str, programs: pathlib.Path, ports, nats: int, scratch: pathlib.Path) -> None:
        self.page, self.scratch = page, scratch
        self.ports = dict(zip(range(7101, 7105), ports))
        self.nats = nats
        # The page's own places and ports, unless they are taken: what a reader has in data/ is not for tests to change.
        self.places = [("target/debug/", f"{programs}/"), ("data/nats", f"{scratch}/nats")]
        self.places += [("nats-server -a", f"nats-server -p {self.nats} -a")]
        environment = {
            "VOUCH_FIRST_PORT": str(ports[0]),
            "VOUCH_PAYMENTS__SERVER__LISTEN": f"127.0.0.1:{ports[2]}",
            "VOUCH_PAYMENTS__NATS__URL": f"nats://127.0.0.1:{self.nats}",
            "VOUCH_PAYMENTS__DATABASE__URL": f"sqlite:{scratch}/payments.db",
            "VOUCH_PAYMENTS__ACCESS__KEYS": f"{scratch}/keys",
            "TMPDIR": str(scratch),
        }
        self.shell = Shell(environment, scratch)
        self.terminal = Terminal(environment, scratch)
        self.printed: dict[str, str] = {}
        self.last = ""
        self.ran = 0

    def read(self) -> None:
        try:
            for line, language, text in blocks(pathlib.Path(self.page).read_text()):
                self.line = line
                self.block(language, text)
            self.terminal.interrupt()
        finally:
            self.terminal.close()
            self.shell.close()
        print(f"{self.page}: {self.ran} commands ran as it says", flush=True)

    def block(self, language: str, text: str) -> None:
        if reads := find(FILES, text):
            file = self.scratch / "file.csv"
            file.write_text(text)
            return self.run(reads.format(file=file), None)
        if language == "sh":
            for command in commands(text.splitlines()):
                self.run(command, None)
        elif language == "console" and text.startswith("$ "):
            for command, expected in dialogue(text.splitlines()):
                self.run(command, expected)
        elif self.last:
            command = find(BELONGS_TO, text) or self.last
            self.compare(command, self.printed[command], text)
        else:
            self.fail(f"a block that nothing is done with:\n{text}")

    def run(self, command: str, expected: str | None) -> None:
        name = re.sub(r"\s+#.*", "", command).strip()
        if reason := NOT_RUN.get(name):
            return print(f"{self.page}:{self.line}: NOT RUN: {name}: {reason}", flush=True)
        self.ran += 1
        print(f"{self.page}:{self.line}: {name.splitlines()[0]}", flush=True)
        here = self.here(command)
        if up := find(ENDLESS, name):
            return self.terminal.start(here, up) or None
        self.last = name
        refused = bool(expected) and expected.startswith("ERROR:")
        status, printed, errors = self.shell.run(here)
        end = time.monotonic() + 30
        while status and any(word in command for word in AWAITED) and time.monotonic() < end:
            time.sleep(0.2)
            status, printed, errors = self.shell.run(here)
        self.printed[name] = printed
        if (status != 0) != refused:
            self.fail(f"{command}\nended with {status}; the terminal says\n{self.terminal.said()}\nand it:\n{printed}{errors}")
        if expected is not None:
            self.compare(command, errors if refused else printed, expected)
        if name.startswith("nats-server"):
            wait_for_port(self.nats)
        for variable in re.findall(r"^(\w+)=", command, re.MULTILINE):
            if not self.shell.run(f'[ -n "${variable}" ]')[0] == 0:
                self.fail(f"{command}\nleaves {variable} empty")

    def here(self, text: str) -> str:
        for theirs, ours in self.places:
            text = text.replace(theirs, ours)
        return re.sub(r"\b710[1-4]\b", lambda found: str(self.ports[int(found[0])]), text)

    def compare(self, command: str, printed: str, shown: str) -> None:
        if difference := misfit(shape(printed), shape(self.here(shown))):
            self.fail(f"{command}\n{difference}")

    def fail(self, what: str) -> None:
        sys.exit(f"{self.page}:{self.line}: {what}")


def blocks(text: str):
    """The fenced blocks: the number of the first line, the language, the text."""
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield text[: found.start()].count("\n") + 2, found[1], found[2]


def find(table: dict[str, str], text: str) -> str | None:
    return next((value for beginning, value in table.items() if text.startswith(beginning)), None)


def commands(lines: list[str]):
    """Whole commands: as many lines as the shell needs to understand each."""
    rest = list(lines)
    while rest:
        length = Shell.length_of_first(rest)
        yield "\n".join(rest[:length])
        rest = rest[length:]


def dialogue(lines: list[str]):
    """What stands after each `$ `, and the lines that are shown as its output."""
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")] + [len(lines)]
    for start, end in zip(starts, starts[1:]):
        part = [lines[start][2:], *lines[start + 1 : end]]
        length = Shell.length_of_first(part)
        yield "\n".join(part[:length]), "\n".join(part[length:]).strip()


def shape(text: str) -> list[str]:
    for pattern, name in SHAPES:
        text = pattern.sub(name, text)
    return [line.strip() for line in text.strip().splitlines()]


def misfit(printed: list[str], shown: list[str]) -> str | None:
    """Where the two part: each `…` stands for any lines, what stands between two of them is taken where it first comes."""
    parts = [[]]
    for line in shown:
        if line == "…":
            parts.append([])
        else:
            parts[-1].append(line)
    at = 0
    for number, part in enumerate(parts):
        last = len(printed) - len(part)
        places = range(at, last + 1)
        if number == 0:
            places = places[:1]
        if number == len(parts) - 1:
            places = [place for place in places if place == last]
        place = next((place for place in places if printed[place : place + len(part)] == part), None)
        if place is None:
            return "\n".join(difflib.unified_diff(part, printed[at:], "as the page shows", "as printed", lineterm="", n=1))
        at = place + len(part)
    return None


if __name__ == "__main__":
    sys.exit(main())
