"""How to reach a Kubernetes API: from a kubeconfig, from inside the cluster, or from a token."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from airflow_mlops.exceptions import BackendUnavailable, ConfigError

_IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_EXEC_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Access:
    """An API server and who we are there. ``certificate`` is a client certificate and
    its key, each as PEM text or a file. ``namespace`` is the one that the account or the kubeconfig names."""

    server: str
    token: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    ca_data: str | None = None
    certificate: tuple[str, str] | None = None
    verify: bool = True
    namespace: str | None = None

    def __post_init__(self) -> None:
        if self.ca_data is not None:
            try:
                ssl.create_default_context(cadata=self.ca_data)
            except ssl.SSLError as error:
                raise ConfigError(
                    "the certificate authority of the Kubernetes API is not a certificate in PEM form"
                ) from error


def connection_access(url: str | None, token: str | None, extra: Mapping[str, Any]) -> Access:
    """Access by an Airflow connection of type ``kubernetes``, by the fields of its form: ``in_cluster``,
    ``kube_config``, ``kube_config_path``, ``cluster_context``, ``disable_verify_ssl``; or by its host and,
    in the password, a token (with ``ca_cert``, PEM text or a file, among the extras). With none of these the
    kubeconfig of the worker's user is taken, as kubectl does. Raises ``ConfigError`` that names the field."""
    get = _form(extra)
    verify = not get("disable_verify_ssl")
    if get("in_cluster"):
        return in_cluster()
    context = get("cluster_context") or None
    if written := get("kube_config"):
        text = written if isinstance(written, str) else json.dumps(written)
        return kubeconfig_access(text, "kube_config of the Airflow connection", context, verify=verify)
    if url:
        ca = get("ca_cert") or None
        inline = ca is not None and "BEGIN CERTIFICATE" in ca
        return Access(
            url,
            token,
            ca_file=None if inline else ca,
            ca_data=ca if inline else None,
            verify=verify,
            namespace=get("namespace") or None,
        )
    path = Path(get("kube_config_path") or os.environ.get("KUBECONFIG") or "~/.kube/config").expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"there is no Kubernetes to talk to: {path} cannot be read ({error.strerror}). Fill in the "
            "Airflow connection that deploy.target.conn_id names: in_cluster, kube_config, kube_config_path, "
            "or a host with a token as its password"
        ) from error
    return kubeconfig_access(text, str(path), context, verify=verify)


def in_cluster(folder: Path = _IN_CLUSTER) -> Access:
    """Access by the service account of the pod that this runs in."""
    try:
        token = (folder / "token").read_text().strip()
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        namespace = (folder / "namespace").read_text().strip()
    except (OSError, KeyError) as error:
        raise ConfigError(
            f"in_cluster is set, but this is no pod with a service account ({error}); set kube_config_path "
            "in the Airflow connection, or a host with a token"
        ) from error
    host = f"[{host}]" if ":" in host else host
    return Access(f"https://{host}:{port}", token, ca_file=str(folder / "ca.crt"), namespace=namespace)


def kubeconfig_access(text: str, where: str, context: str | None = None, *, verify: bool = True) -> Access:
    """Access by one context of a kubeconfig, the current one unless said. Tokens, client certificates and
    ``exec`` plugins (those of EKS, GKE and AKS) are known. Raises ``ConfigError`` that says what is missing.
    """
    try:
        config = yaml.safe_load(text)
        name = context or config["current-context"]
        chosen = _named(config, "contexts", name)["context"]
        cluster = _named(config, "clusters", chosen["cluster"])["cluster"]
        user = _named(config, "users", chosen["user"])["user"] or {}
        server = cluster["server"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError(f"{where} is not a whole kubeconfig: {error!r} is missing or wrong") from error
    token, certificate = _credentials(user, where)
    ca_data = cluster.get("certificate-authority-data")
    return Access(
        server.rstrip("/"),
        token,
        ca_file=cluster.get("certificate-authority"),
        ca_data=base64.b64decode(ca_data).decode() if ca_data else None,
        certificate=certificate,
        verify=verify and not cluster.get("insecure-skip-tls-verify", False),
        namespace=chosen.get("namespace"),
    )


def _form(extra: Mapping[str, Any]) -> Any:
    """The connection's field by its name, also as older forms of Airflow spell it."""
    return lambda name: extra.get(name, extra.get(f"extra__kubernetes__{name}"))


def _named(config: Any, section: str, name: str) -> Any:
    for one in config.get(section) or ():
        if one["name"] == name:
            return one
    raise KeyError(f"{section}: {name}")


def _credentials(user: Any, where: str) -> tuple[str | None, tuple[str, str] | None]:
    if "exec" in user:
        return _by_plugin(user["exec"], where)
    token = user.get("token")
    if token is None and "tokenFile" in user:
        try:
            token = Path(user["tokenFile"]).read_text().strip()
        except OSError as error:
            raise ConfigError(f"{where} logs in by a tokenFile that cannot be read: {error}") from error
    if token is None and "auth-provider" in user:
        raise ConfigError(
            f"{where} logs in by auth-provider, which Kubernetes has dropped: use an exec plugin or a token"
        )
    return token, _certificate(
        user.get("client-certificate") or _decoded(user.get("client-certificate-data")),
        user.get("client-key") or _decoded(user.get("client-key-data")),
    )


def _by_plugin(plugin: Any, where: str) -> tuple[str | None, tuple[str, str] | None]:
    """What the kubeconfig's own credential program says (client.authentication.k8s.io, ExecCredential)."""
    command = [plugin["command"], *(plugin.get("args") or ())]
    env = {one["name"]: one["value"] for one in plugin.get("env") or ()}
    asked = {"apiVersion": plugin.get("apiVersion"), "kind": "ExecCredential", "spec": {"interactive": False}}
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **env, "KUBERNETES_EXEC_INFO": json.dumps(asked)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_EXEC_SECONDS,
            check=True,
        )
        status = json.loads(done.stdout)["status"]
    except FileNotFoundError as error:
        raise ConfigError(
            f"{where} logs in by the program {plugin['command']!r}, which this worker does not have"
        ) from error
    except (subprocess.SubprocessError, OSError, ValueError, KeyError) as error:
        said = getattr(error, "stderr", None) or b""
        raise BackendUnavailable(
            f"{plugin['command']!r}, by which {where} logs in, failed: {error} "
            f"{said.decode(errors='replace')[-500:]}".rstrip()
        ) from error
    return status.get("token"), _certificate(status.get("clientCertificateData"), status.get("clientKeyData"))


def _decoded(data: str | None) -> str | None:
    return None if data is None else base64.b64decode(data).decode()


def _certificate(certificate: str | None, key: str | None) -> tuple[str, str] | None:
    return None if certificate is None or key is None else (certificate, key)
