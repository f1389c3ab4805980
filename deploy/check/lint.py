"""What no schema sees: whether the objects fit together, and the rules of the `restricted` pod security standard."""

import re

API_VERSIONS = {"v1", "apps/v1", "batch/v1", "policy/v1"}
QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
PINNED = re.compile(r".+(@sha256:[0-9a-f]{64}|:(?!latest$)[^:/]+)")
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def lint(objects: list[dict], given: list[dict]) -> list[str]:
    """`given` are the objects that somebody else makes: secrets and keys."""
    problems: list[str] = []
    names = {(o["kind"], o["metadata"]["name"]) for o in objects + given}
    workloads = [o for o in objects if o["kind"] in ("Deployment", "Job")]

    def tell(about: dict, what: str) -> None:
        problems.append(f"{about['kind']}/{about['metadata']['name']}: {what}")

    for each in objects:
        if each["apiVersion"] not in API_VERSIONS:
            tell(each, f"apiVersion {each['apiVersion']} is not one that we use")
        if each["kind"] in ("Service", "PodDisruptionBudget"):
            for what in selection(each, workloads):
                tell(each, what)
    for workload in workloads:
        pod = workload["spec"]["template"]["spec"]
        for what in [*references(pod, names), *restricted(pod), *containers(workload)]:
            tell(workload, what)
        wanted = workload["spec"].get("selector", {}).get("matchLabels", {})
        if not wanted.items() <= labels(workload).items():
            tell(workload, "its selector does not fit the labels of its pods")
    return problems


def labels(workload: dict) -> dict:
    return workload["spec"]["template"]["metadata"].get("labels", {})


def selection(each: dict, workloads: list[dict]):
    """A Service and a budget are for the pods of one Deployment: not for none, not for a Job's."""
    wanted = each["spec"]["selector"]
    wanted = wanted.get("matchLabels", {}) if each["kind"] == "PodDisruptionBudget" else wanted
    selected = [w for w in workloads if wanted.items() <= labels(w).items()]
    if [w["kind"] for w in selected] != ["Deployment"]:
        yield f"selects {[w['metadata']['name'] for w in selected]}, and should select one Deployment"
    for workload in selected:
        ports = {port["name"] for c in workload["spec"]["template"]["spec"]["containers"] for port in c.get("ports", [])}
        for port in each["spec"].get("ports", []):
            if port["targetPort"] not in ports:
                yield f"targetPort {port['targetPort']} is no port of {workload['metadata']['name']}"


def references(pod: dict, names: set[tuple[str, str]]):
    wanted = [("ServiceAccount", pod.get("serviceAccountName"))]
    for volume in pod.get("volumes", []):
        for source in [volume, *volume.get("projected", {}).get("sources", [])]:
            wanted += [("Secret", source[k].get("name") or source[k].get("secretName")) for k in ("secret",) if k in source]
            wanted += [("ConfigMap", source[k]["name"]) for k in ("configMap",) if k in source]
        claim = volume.get("persistentVolumeClaim")
        wanted += [("PersistentVolumeClaim", claim["claimName"])] if claim else []
    for container in pod["containers"]:
        for source in container.get("envFrom", []):
            wanted += [("ConfigMap", source["configMapRef"]["name"])] if "configMapRef" in source else []
            wanted += [("Secret", source["secretRef"]["name"])] if "secretRef" in source else []
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in {volume["name"] for volume in pod.get("volumes", [])}:
                yield f"mounts the volume {mount['name']}, which is not there"
    for kind, name in wanted:
        if (kind, name) not in names:
            yield f"needs the {kind} {name}, which is not there"


def restricted(pod: dict):
    security = pod.get("securityContext", {})
    if security.get("runAsNonRoot") is not True or security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "may run as root or without seccomp"
    if pod.get("automountServiceAccountToken") is not False:
        yield "gets a token of the cluster, which it does not need"
    for container in pod["containers"]:
        wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        if not wanted.items() <= container.get("securityContext", {}).items():
            yield f"{container['name']}: may more than the restricted standard allows"


def containers(workload: dict):
    for container in workload["spec"]["template"]["spec"]["containers"]:
        if not PINNED.fullmatch(container["image"]):
            yield f"the image {container['image']} has no version"
        resources = container.get("resources", {})
        for part, name in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
            if not QUANTITY.fullmatch(str(resources.get(part, {}).get(name))):
                yield f"resources.{part}.{name} is {resources.get(part, {}).get(name)}"
        for probe in PROBES if workload["kind"] == "Deployment" else ():
            handlers = {"grpc", "httpGet", "tcpSocket", "exec"} & container.get(probe, {}).keys()
            if len(handlers) != 1:
                yield f"{probe} has the handlers {sorted(handlers)}, and should have one"
