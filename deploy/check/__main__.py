"""Checks what is in deploy/ without a cluster, and then itself: each kind of mistake is planted and has to be found.

    python deploy/check DIRECTORY-OF-THE-PROGRAMS

Renders every overlay; holds it against the schemas of the Kubernetes API, against what no schema sees (lint.py) and against the
programs, which have to take exactly these settings (contract.py); checks the style of YAML and Dockerfile. What it cannot prove
without a cluster: admission, scheduling, networks, and that the images exist.
"""

import copy
import pathlib
import subprocess
import sys

import kubernetes_validate
import yaml

from contract import contract
from lint import lint
from planted import DOCKER_MISTAKE, MISTAKES, YAML_MISTAKE

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
OVERLAYS = DEPLOY / "kubernetes" / "overlays"
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
KUBERNETES = "1.37"
YAML_STYLE = (
    "{extends: default, rules: {line-length: {max: 132}, document-start: disable, truthy: {check-keys: false},"
    " braces: {max-spaces-inside: 0}, comments: {min-spaces-from-content: 1}, octal-values: disable}}"
)


def main() -> int:
    programs = pathlib.Path(sys.argv[1])
    given = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "secrets.example.yaml").read_text()))
    problems = [f"style: {line}" for line in yaml_style(DEPLOY) + dockerfile_style(DOCKERFILE.read_text())]
    rendered = {}
    for overlay in sorted(path.name for path in OVERLAYS.iterdir()):
        rendered[overlay] = objects = render(overlay)
        found = schema(objects) + lint(objects, given) + contract(objects, given, programs)
        problems += [f"{overlay}: {line}" for line in found]
        print(f"{overlay}: {len(objects)} objects rendered and checked")
    # In manifests that are wrong a planted mistake would be hidden by those that are there.
    problems = problems or unnoticed_mistakes(rendered, given, programs)
    print("\n".join(problems) or "deploy: nothing to complain about")
    return 1 if problems else 0


def render(overlay: str) -> list[dict]:
    command = ["kubectl", "kustomize", str(OVERLAYS / overlay)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode or "Warning" in run.stderr:
        sys.exit(f"{overlay} cannot be rendered: {run.stderr}")
    return list(yaml.safe_load_all(run.stdout))


def schema(objects: list[dict]) -> list[str]:
    problems = []
    for each in objects:
        try:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
            reason = getattr(error, "message", None) or f"no schema for {each['apiVersion']}"
            problems.append(f"{each['kind']}/{each['metadata']['name']}: {reason}")
    return problems


def yaml_style(path: pathlib.Path | str) -> list[str]:
    """Takes a folder, or a text."""
    source, text = ([str(path)], None) if isinstance(path, pathlib.Path) else (["-"], path)
    command = ["yamllint", "--strict", "--format", "parsable", "-d", YAML_STYLE, *source]
    run = subprocess.run(command, input=text, capture_output=True, text=True)
    return (run.stdout + run.stderr).splitlines() if run.returncode else []


def dockerfile_style(text: str) -> list[str]:
    run = subprocess.run(["hadolint", "--no-color", "-"], input=text, capture_output=True, text=True)
    return (run.stdout + run.stderr).splitlines() if run.returncode else []


def unnoticed_mistakes(rendered: dict, given: list[dict], programs: pathlib.Path) -> list[str]:
    """Makes each mistake in a copy; whichever goes unnoticed is a problem."""
    checks = {
        "schema": schema,
        "lint": lambda objects: lint(objects, given),
        "contract": lambda objects: contract(objects, given, programs),
    }
    unnoticed = []
    for name, check, overlay, plant, expected in MISTAKES:
        objects = copy.deepcopy(rendered[overlay])
        plant(Objects(objects))
        found = checks[check](objects)
        if not any(expected in line for line in found):
            unnoticed.append(f"planted: {check} did not notice {name}: it found {found}")
    if not yaml_style(YAML_MISTAKE):
        unnoticed.append("planted: yamllint did not notice a key that stands twice")
    if not dockerfile_style(DOCKER_MISTAKE):
        unnoticed.append("planted: hadolint did not notice an image without a version")
    print(f"{len(MISTAKES) + 2 - len(unnoticed)} of {len(MISTAKES) + 2} planted mistakes were noticed")
    return unnoticed


class Objects:
    """The objects of an overlay, to be found by kind and the beginning of the name."""

    def __init__(self, objects: list[dict]) -> None:
        self.all = objects

    def get(self, kind: str, name: str) -> dict:
        return next(o for o in self.all if o["kind"] == kind and o["metadata"]["name"].startswith(name))

    def pod(self, kind: str, name: str) -> dict:
        return self.get(kind, name)["spec"]["template"]["spec"]

    def container(self, kind: str, name: str) -> dict:
        return self.pod(kind, name)["containers"][0]


if __name__ == "__main__":
    sys.exit(main())
