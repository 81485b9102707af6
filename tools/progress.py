"""What the user sees while something runs: one line per phase with its time, the details in a log file."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from . import paths

_START = time.monotonic()
_TTY = sys.stdout.isatty()
HEARTBEAT_SECONDS = 30


class Failed(Exception):
    """A phase that did not end well, in words for the user."""


def say(text: str = "") -> None:
    print(text, flush=True)


def since_start() -> float:
    return time.monotonic() - _START


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


@contextlib.contextmanager
def phase(title: str, log: Path | None = None):
    """Announces `title`, shows that it is alive while the body runs, and says how long it took."""
    began = time.monotonic()
    stop = threading.Event()

    def alive() -> None:
        while not stop.wait(1 if _TTY else HEARTBEAT_SECONDS):
            took = duration(time.monotonic() - began)
            note = _last_line(log)
            if _TTY:
                print(f"\r\033[K  .. {title} ({took}) {note}"[:118], end="", flush=True)
            else:
                say(f"  .. {title} ({took}) {note}".rstrip())

    ticker = threading.Thread(target=alive, daemon=True)
    ticker.start()
    ok = False
    try:
        yield
        ok = True
    finally:
        stop.set()
        ticker.join()
        mark = "ok" if ok else "!!"
        lead = "\r\033[K" if _TTY else ""
        say(f"{lead}  {mark} {title} ({duration(time.monotonic() - began)})")


def _last_line(log: Path | None) -> str:
    if log is None or not log.exists():
        return ""
    with open(log, "rb") as f:
        f.seek(0, os.SEEK_END)
        f.seek(max(0, f.tell() - 400))
        lines = f.read().decode(errors="replace").replace("\r", "\n").strip().splitlines()
    return lines[-1].strip()[:60] if lines else ""


def tail(log: Path, lines: int = 40) -> str:
    try:
        text = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join("     | " + line for line in text[-lines:])


def run(command: list, log: Path, *, env: dict | None = None, cwd: Path = paths.ROOT, check: bool = True) -> int:
    """Runs a command with its output in `log`; its exit code, or `Failed` with the end of the log."""
    [code] = run_side_by_side([(command, log)], env=env, cwd=cwd)
    if check and code != 0:
        raise Failed(f"`{' '.join(str(word) for word in command[:4])} ...` ended with {code}; the end of {log}:\n{tail(log)}")
    return code


def run_side_by_side(commands: list[tuple[list, Path]], *, env: dict | None = None, cwd: Path = paths.ROOT) -> list[int]:
    """Runs commands at the same time, each with its output in its log; their exit codes."""
    children: list[subprocess.Popen] = []
    try:
        for command, log in commands:
            log.parent.mkdir(parents=True, exist_ok=True)
            words = [str(word) for word in command]
            with open(log, "ab") as out:
                out.write(f"$ {' '.join(words)}\n".encode())
                out.flush()
                children.append(subprocess.Popen(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                                 start_new_session=True))  # fmt: skip
        return [child.wait() for child in children]
    except BaseException:
        for child in children:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGTERM)  # with all that it started: cargo's compilers, pytest's servers
        for child in children:
            child.wait()
        raise


def fresh_log(name: str) -> Path:
    log = paths.LOG / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    return log


def run_benchmark(main) -> None:
    """The `__main__` of a script that takes a server's major version, 18 if none is given."""
    try:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 18))
    except Failed as e:
        sys.exit(f"FAILED: {e}")
