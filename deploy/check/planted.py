"""Mistakes that somebody could make in the manifests: each with the check that has to notice it, and what it has to say."""

YAML_MISTAKE = "kind: Pod\nkind: Job\n"
DOCKER_MISTAKE = "FROM rust\nRUN true\n"

SERVE, MIGRATE = ("Deployment", "payments-serve"), ("Job", "payments-migrate")
SETTINGS, BUDGET = ("ConfigMap", "payments-settings"), ("PodDisruptionBudget", "payments")
LABEL = "app.kubernetes.io/component"


def setting(name: str, value: str):
    return lambda o: o.get(*SETTINGS)["data"].update({f"VOUCH_PAYMENTS__{name}": value})


def probe(**handler: object):
    return lambda o: o.container(*SERVE)["readinessProbe"].update(handler)


def container(**values: object):
    return lambda o: o.container(*SERVE).update(values)


def pod(**values: object):
    return lambda o: o.pod(*SERVE).update(values)


def spec(kind_and_name: tuple[str, str], **values: object):
    return lambda o: o.get(*kind_and_name)["spec"].update(values)


def old_api(o) -> None:
    o.get(*BUDGET).update(apiVersion="policy/v1beta1")


def unknown_secret(o) -> None:
    o.pod(*SERVE)["volumes"][0]["projected"]["sources"][0]["secret"].update(name="none")


def unknown_peer(o) -> None:
    o.get("ConfigMap", "referral-settings")["data"].update(VOUCH_REFERRAL__PEERS__PAYMENTS="http://payment-grpc:7100")


def peer_at_another_port(o) -> None:
    o.get("Service", "payments-grpc")["spec"]["ports"][0].update(port=80)


def setting_of_another_service(o) -> None:
    o.get(*SETTINGS)["data"].update(VOUCH_REFERRAL__CLOCK__TEST="true")


def claim_removed(o) -> None:
    o.all.remove(o.get("PersistentVolumeClaim", "data"))


def job_with_the_labels_of_the_pods(o) -> None:
    o.get(*MIGRATE)["spec"]["template"]["metadata"]["labels"][LABEL] = "serve"


def limit(value: str):
    return lambda o: o.container(*SERVE)["resources"]["limits"].update(memory=value)


# (what, the check, the overlay, how, what the check has to say)
MISTAKES = [
    ("a misspelt key", "schema", "dev", pod(restartPolici="Always"), "restartPolici"),
    ("a value of the wrong type", "schema", "prod", spec(SERVE, replicas="two"), "two"),
    ("a version of the API that is gone", "schema", "prod", old_api, "policy/v1beta1"),
    ("an API that we do not use", "lint", "prod", old_api, "policy/v1beta1"),
    ("a Service that selects nothing", "lint", "dev", spec(("Service", "payments-grpc"), selector={LABEL: "x"}), "selects []"),
    ("a Service that calls a Job", "lint", "dev", job_with_the_labels_of_the_pods, "payments-migrate"),
    ("a budget for nobody", "lint", "prod", spec(BUDGET, selector={"matchLabels": {LABEL: "x"}}), "selects []"),
    ("a selector beside the labels", "lint", "prod", spec(SERVE, selector={"matchLabels": {LABEL: "x"}}), "does not fit"),
    ("a port that no container has", "lint", "dev", container(ports=[{"name": "web", "containerPort": 1}]), "targetPort grpc"),
    ("an account that is not there", "lint", "dev", pod(serviceAccountName="nobody"), "ServiceAccount nobody"),
    ("settings that are not there", "lint", "dev", container(envFrom=[{"configMapRef": {"name": "none"}}]), "ConfigMap none"),
    ("a secret that nobody makes", "lint", "prod", unknown_secret, "Secret none"),
    ("a claim that is not there", "lint", "dev", claim_removed, "PersistentVolumeClaim data"),
    ("a mount without its volume", "lint", "dev", pod(volumes=[]), "mounts the volume secret"),
    ("a pod as root", "lint", "prod", pod(securityContext={"runAsNonRoot": False}), "run as root"),
    ("a pod with a token", "lint", "prod", pod(automountServiceAccountToken=True), "token of the cluster"),
    ("a container that may write its root",
     "lint", "prod", container(securityContext={"readOnlyRootFilesystem": False}), "restricted"),
    ("an image called latest", "lint", "prod", container(image="vouch-payments:latest"), "has no version"),
    ("an image without a version", "lint", "prod", container(image="localhost:5000/vouch-payments"), "has no version"),
    ("a bad quantity", "lint", "prod", limit("256mb"), "256mb"),
    ("no probe", "lint", "prod", container(livenessProbe={}), "livenessProbe"),
    ("two handlers in a probe", "lint", "prod", probe(tcpSocket={"port": 1}), "readinessProbe"),
    ("an unknown setting", "contract", "dev", setting("SERVER__LISTN", "x"), "server.listn: unknown key"),
    ("a setting of another service", "contract", "dev", setting_of_another_service, "no setting of payments"),
    ("a setting that cannot be read", "contract", "prod", setting("NATS__REPLICAS", "three"), "nats.replicas"),
    ("a setting that is refused", "contract", "prod", setting("ACCESS__MAKE_KEYS", "true"), "access.make_keys"),
    ("a file that is not mounted", "contract", "prod", setting("DATABASE__URL_FILE", "/etc/vouch/secret/url"), "cannot read"),
    ("a credential that is not mounted",
     "contract", "prod", setting("NATS__NKEY_SEED_FILE", "/etc/vouch/secret/x"), "there is no"),
    ("keys in a directory without them", "contract", "dev", setting("ACCESS__KEYS", "/data"), "access.keys"),
    ("a database on no volume", "contract", "dev", setting("DATABASE__URL", "sqlite:/var/x.db"), "on no volume"),
    ("a peer that is nowhere", "contract", "dev", unknown_peer, "no Service answers"),
    ("a peer at another port", "contract", "dev", peer_at_another_port, "no Service answers"),
    ("a port that is not listened on", "contract", "dev", setting("SERVER__LISTEN", "0.0.0.0:7103"), "the port grpc is 7100"),
    ("metrics on loopback", "contract", "prod", setting("TELEMETRY__METRICS_LISTEN", "127.0.0.1:9464"), "the port metrics"),
    ("webhooks on loopback", "contract", "prod", setting("GATEWAY__WEBHOOK_LISTEN", "127.0.0.1:8103"), "the port webhooks"),
    ("webhooks that come nowhere", "contract", "prod", setting("GATEWAY__WEBHOOK_LISTEN", ""), "the port webhooks"),
    ("a provider that moves no money", "contract", "prod", setting("GATEWAY__KIND", "sandbox"), "gateway.kind"),
    ("a probe of another port",
     "contract", "prod", probe(grpc={"port": 9464, "service": "readiness"}), "does not ask the port grpc"),
    ("a probe of an unknown entry", "contract", "prod", probe(grpc={"port": 7100, "service": "ready"}), "knows no ready"),
    ("two pods on one SQLite file", "contract", "dev", spec(SERVE, replicas=2), "one process"),
    ("a SQLite file handed over while in use", "contract", "dev", spec(SERVE, strategy={"type": "RollingUpdate"}), "one process"),
    ("too little time to stop", "contract", "prod", pod(terminationGracePeriodSeconds=20), "is killed before"),
    ("a command that does not exist", "contract", "dev", container(args=["server"]), "is no command"),
    ("the program of another service", "contract", "prod", container(image="vouch-referral:0.1.0"), "runs vouch-referral"),
]
