"""Whether the programs take what the manifests give them: the real programs, with exactly the rendered environment and files."""

import pathlib
import re
import subprocess
import tempfile
import tomllib
from urllib.parse import urlsplit

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HEALTH = ROOT / "libs" / "runtime" / "src" / "server" / "health.rs"


def contract(objects: list[dict], given: list[dict], programs: pathlib.Path) -> list[str]:
    services = {o["metadata"]["name"]: o for o in objects if o["kind"] == "Service"}
    health = set(re.findall(r'pub const \w+: &str = "(\w+)";', HEALTH.read_text()))
    problems = []
    for workload in objects:
        if workload["kind"] not in ("Deployment", "Job"):
            continue
        with tempfile.TemporaryDirectory() as directory:
            pod = Pod(workload, objects + given, pathlib.Path(directory))
            found = [*pod.takes_settings(programs)]
            # The rest needs the settings in force.
            found = found or [*pod.fits(services, health)]
        problems += [f"{workload['kind']}/{workload['metadata']['name']}: {line}" for line in found]
    return problems


class Pod:
    """One workload's pod, laid out in a directory."""

    def __init__(self, workload: dict, objects: list[dict], directory: pathlib.Path) -> None:
        self.workload = workload
        self.service = workload["metadata"]["labels"]["app.kubernetes.io/name"]
        self.pod = workload["spec"]["template"]["spec"]
        self.container = self.pod["containers"][0]
        self.content = {
            (o["kind"], o["metadata"]["name"]): {**o.get("data", {}), **o.get("stringData", {})} for o in objects
        }
        self.directory = directory
        self.mounts = [mount["mountPath"] for mount in self.container.get("volumeMounts", [])]
        self.written = set()
        for mount in self.container.get("volumeMounts", []):
            self.lay_out(mount)
        self.environment = {
            name: value
            for source in self.container.get("envFrom", [])
            for name, value in self.content.get(("ConfigMap", source["configMapRef"]["name"]), {}).items()
        } | {variable["name"]: variable["value"] for variable in self.container.get("env", [])}
        self.settings: dict = {}

    def lay_out(self, mount: dict) -> None:
        place = self.here(mount["mountPath"])
        place.mkdir(parents=True)
        volume = next((v for v in self.pod.get("volumes", []) if v["name"] == mount["name"]), {})
        for source in volume.get("projected", {}).get("sources", []):
            kind = "Secret" if "secret" in source else "ConfigMap"
            for name, text in self.content.get((kind, source[kind[0].lower() + kind[1:]]["name"]), {}).items():
                (place / name).write_text(text)
        if not {"emptyDir", "persistentVolumeClaim"} & volume.keys():
            self.written.add(mount["mountPath"])

    def here(self, path: str) -> pathlib.Path:
        return self.directory / path.lstrip("/")

    def moved(self, value: str) -> str:
        """A value with the paths of mounts as they are here."""
        mounts = "|".join(map(re.escape, self.mounts))
        return re.sub(rf"(?<![\w/])(?:{mounts})(?=/|$)", lambda found: str(self.here(found[0])), value)

    def takes_settings(self, programs: pathlib.Path):
        program = str(programs / f"vouch-{self.service}")
        command = self.container["args"]
        if command not in (["serve"], ["migrate"]):
            yield f"{command} is no command of {program}"
        if not self.container["image"].split("@")[0].split(":")[0].endswith(f"vouch-{self.service}"):
            yield f"runs {self.container['image']}"
        prefix = f"VOUCH_{self.service.upper()}__"
        for name, value in self.environment.items():
            if not name.startswith((prefix, "OTEL_")):
                yield f"{name} is no setting of {self.service}"
            if any(value.startswith(mount) for mount in self.written) and not self.here(value).exists():
                yield f"{name}: there is no {value}"
        environment = {name: self.moved(value) for name, value in self.environment.items()}
        for command in ("check-config", "print-config"):
            run = subprocess.run([program, command], env=environment, cwd=self.directory, capture_output=True, text=True)
            if run.returncode:
                yield f"{command}: {run.stderr.strip()}"
                return
        self.settings = tomllib.loads(run.stdout)

    def fits(self, services: dict, health: set[str]):
        server, database = self.settings["server"], self.settings["database"]["url"]
        keys = pathlib.Path(self.settings["access"]["keys"])
        # A service calls itself, too, when it is reconciled.
        wanted = [f"service-{self.service}.key", f"service-{self.service}.json"]
        if missing := [name for name in wanted if not (keys / name).exists()]:
            yield f"access.keys: {keys} lacks {' and '.join(missing)}"
        if database.startswith("sqlite:") and not database.startswith(f"sqlite:{self.directory}"):
            yield f"database.url: {database} is on no volume"
        for name, address in self.settings.get("peers", {}).items():
            peer = urlsplit(address)
            ports = [port["port"] for port in services.get(peer.hostname, {"spec": {"ports": []}})["spec"]["ports"]]
            if peer.port not in ports:
                yield f"peers.{name}: no Service answers at {address}"
        if self.workload["kind"] == "Deployment":
            yield from self.fits_deployment(server, database, health)

    def fits_deployment(self, server: dict, database: str, health: set[str]):
        spec, container = self.workload["spec"], self.container
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        listens = {
            "grpc": server["listen"],
            "metrics": self.settings["telemetry"]["metrics_listen"],
            "webhooks": self.settings.get("gateway", {}).get("webhook_listen", ""),
        }
        for name, listen in listens.items():
            port = ports.get(name)
            if listen != (f"0.0.0.0:{port}" if port else ""):
                yield f"the program listens on {listen or 'nothing'}, the port {name} is {port}"
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if container[probe]["grpc"] | {"service": ""} != {"port": ports["grpc"], "service": ""}:
                yield f"{probe} does not ask the port grpc"
            if container[probe]["grpc"].get("service") not in health:
                yield f"{probe}: the health service knows no {container[probe]['grpc'].get('service')}"
        if database.startswith("sqlite:") and (spec["replicas"] != 1 or spec["strategy"]["type"] != "Recreate"):
            yield "a SQLite file belongs to one process at a time"
        grace = int(re.fullmatch(r"(\d+)s", server["shutdown_grace"])[1])
        if self.pod["terminationGracePeriodSeconds"] <= grace + container["lifecycle"]["preStop"]["sleep"]["seconds"]:
            yield "is killed before it can have stopped: terminationGracePeriodSeconds is too short"
