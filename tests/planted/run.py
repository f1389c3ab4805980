"""Plants each mistake of bugs.toml in turn and runs the tests that must notice it.

Works on the tree itself, which has to be committed, and puts every file back. `run.py WORD` takes the bugs whose name
holds the word. Ends with 1 if a mistake went unnoticed.
"""

import pathlib
import subprocess
import sys
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# What cargo-nextest ends with when tests failed; anything else is a failure to run them.
TESTS_FAILED = 100


def main() -> int:
    wanted = " ".join(sys.argv[1:])
    bugs = tomllib.loads((HERE / "bugs.toml").read_text())["bug"]
    bugs = [bug for bug in bugs if wanted in bug["name"]]
    files = sorted({bug["file"] for bug in bugs})
    dirty = subprocess.run(["git", "status", "--porcelain", *files], cwd=ROOT, capture_output=True, text=True, check=True)
    if dirty.stdout:
        sys.exit(f"commit these first, they are going to be changed and put back:\n{dirty.stdout}")
    unnoticed = [bug["name"] for number, bug in enumerate(bugs, 1) if not plant(bug, f"{number}/{len(bugs)}")]
    print(f"{len(bugs) - len(unnoticed)} of {len(bugs)} planted mistakes were noticed")
    for name in unnoticed:
        print(f"  unnoticed: {name}")
    return 1 if unnoticed else 0


def plant(bug: dict, number: str) -> bool:
    path = ROOT / bug["file"]
    good = path.read_text()
    if good.count(bug["replace"]) != 1:
        sys.exit(f"{bug['name']}: the text to be replaced stands {good.count(bug['replace'])} times in {bug['file']}")
    try:
        path.write_text(good.replace(bug["replace"], bug["with"]))
        return all([notices(bug, number, tests) for tests in bug["caught_by"]])
    finally:
        path.write_text(good)


def notices(bug: dict, number: str, tests: str) -> bool:
    began = time.monotonic()
    command = ["cargo", "nextest", "run", "--workspace", "-E", tests]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    output = run.stdout + run.stderr
    if run.returncode not in (0, TESTS_FAILED):
        sys.exit(f"{bug['name']}: the tests could not be run\n{output[-4000:]}")
    failed = [line.split("] ", 1)[-1].strip() for line in output.splitlines() if line.strip().startswith("FAIL [")]
    verdict = f"noticed by {failed[0]}" if failed else "NOT NOTICED"
    print(f"{number} {bug['name']}: {verdict} ({time.monotonic() - began:.0f} s)", flush=True)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
