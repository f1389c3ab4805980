"""The reference model of payments.

usage: python model play SEED COMMANDS DAYS    prints random commands of so many simulated days, one JSON object a line
       python model together SEED COMMANDS     prints commands that many give at once, on few accounts and contracts
       python model judge LOG                  replays what one caller did, each command with its answer, and compares
       python model sum LOG                    adds up what many did at once, in whatever order that was, and compares
"""

import json
import sys

import judge
import play
import sums


def main():
    match sys.argv[1:]:
        case ["play", seed, commands, days]:
            script(play.commands(int(seed), int(commands), int(days)))
        case ["together", seed, commands]:
            script(play.together(int(seed), int(commands)))
        case ["judge", path]:
            tell(judge.Judge(read(path)))
        case ["sum", path]:
            tell(sums.Sums(read(path)))
        case _:
            sys.exit(__doc__)


def read(path):
    with open(path, encoding="utf-8") as log:
        return [json.loads(line) for line in log]


def tell(verdict):
    if verdict.wrong:
        sys.exit("\n".join(verdict.wrong[:20] + [f"{len(verdict.wrong)} differences in all"]))
    print(verdict)


def script(commands):
    for command in commands:
        print(json.dumps(command))


main()
