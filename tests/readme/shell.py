"""A shell that runs one command after the other, and a terminal for programs that run until Ctrl-C."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

# More than any command of the pages takes on a slow machine; building is not among them.
PATIENCE = 180


class Shell:
    """One bash; its variables and functions stay from command to command."""

    def __init__(self, environment: dict[str, str], scratch: pathlib.Path) -> None:
        self.command, self.out, self.err = (scratch / name for name in ("command", "out", "err"))
        self.bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        # A call that fails in the middle of a pipe is a failure.
        self.tell("set -o pipefail")

    def tell(self, line: str) -> None:
        self.bash.stdin.write(line + "\n")
        self.bash.stdin.flush()

    def run(self, command: str) -> tuple[int, str, str]:
        """The status, and what was printed on both outputs."""
        self.command.write_text(command + "\n")
        self.tell(f". {self.command} >{self.out} 2>{self.err} </dev/null; echo $?")
        signal.alarm(PATIENCE)
        status = self.bash.stdout.readline().strip()
        signal.alarm(0)
        if not status:
            sys.exit(f"the shell ended with {command}")
        return int(status), self.out.read_text(), self.err.read_text()

    def close(self) -> None:
        end_group(self.bash, signal.SIGTERM)

    @staticmethod
    def length_of_first(lines: list[str]) -> int:
        """How many lines the shell needs to understand the first command."""
        for length in range(1, len(lines) + 1):
            if lines[length - 1].endswith("\\"):
                continue
            text = "\n".join(lines[:length]) + "\n"
            check = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
            if check.returncode == 0 and "here-document" not in check.stderr:
                return length
        sys.exit(f"bash does not understand {lines}")


class Terminal:
    """Runs one program at a time; Ctrl-C ends it before the next."""

    def __init__(self, environment: dict[str, str], scratch: pathlib.Path) -> None:
        self.environment, self.log = environment, scratch / "terminal"
        self.program: subprocess.Popen | None = None

    def start(self, command: str, up: str) -> None:
        self.interrupt()
        with self.log.open("w") as log:
            self.program = subprocess.Popen(
                ["bash", "-c", command],
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until(lambda: up in self.said() or self.program.poll() is not None, f"{command} does not say {up!r}")
        if self.program.poll() is not None:
            sys.exit(f"{command} ended: {self.said()}")

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def interrupt(self) -> None:
        """Ctrl-C: the whole group gets the signal. Whoever ended before it, or complains after it, has failed."""
        if self.program is None:
            return
        if self.program.poll() is not None:
            sys.exit(f"ended by itself: {self.said()}")
        end_group(self.program, signal.SIGINT)
        self.program = None
        # make tells that it was interrupted, as it should.
        said = [line for line in self.said().splitlines() if not line.startswith("make: ***")]
        # A warning is none: a service that is faster than its connection to NATS tells so, and why.
        if any("ERROR" in line or line.startswith("error") for line in said):
            sys.exit(f"something went wrong: {self.said()}")

    def close(self) -> None:
        if self.program is not None:
            end_group(self.program, signal.SIGINT)


def end_group(program: subprocess.Popen, with_signal: int) -> None:
    try:
        os.killpg(program.pid, with_signal)
        program.wait(timeout=60)
        until(lambda: not group_lives(program.pid), "a program outlives its terminal", 60)
    finally:
        if group_lives(program.pid):
            os.killpg(program.pid, signal.SIGKILL)


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def until(condition, otherwise: str, patience: float = PATIENCE) -> None:
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            sys.exit(otherwise)
        time.sleep(0.05)


def port_is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return listener.connect_ex(("127.0.0.1", port)) != 0


def free_ports(count: int) -> range:
    """Ports in a row on which nobody listens."""
    return next(
        range(first, first + count)
        for first in range(17101, 32000, count)
        if all(map(port_is_free, range(first, first + count)))
    )


def wait_for_port(port: int) -> None:
    until(lambda: not port_is_free(port), f"nobody listens on port {port}")
