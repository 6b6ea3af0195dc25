"""How every Kafka client of ours reaches the cluster: addresses, TLS, SASL."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailhaul.settings import KafkaSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster and the name space of one installation on it."""

    bootstrap: str
    prefix: str = ""
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "SCRAM-SHA-512"
    sasl_username: str = ""
    sasl_password: str = ""
    ca_file: Path | None = None
    session_timeout: float = 10.0
    instance_id: str = ""  # static membership, where the platform guarantees one process an id (joint 19)

    def __repr__(self) -> str:
        return f"Cluster({self.bootstrap!r}, prefix={self.prefix!r})"

    @property
    def secured(self) -> bool:
        return self.security_protocol == "SASL_SSL"


def cluster(settings: KafkaSettings, bootstrap: str = "") -> Cluster:
    """The cluster that the settings name, or the embedded broker at `bootstrap`."""
    return Cluster(
        bootstrap=settings.bootstrap or bootstrap,
        prefix=settings.prefix,
        security_protocol=settings.security_protocol,
        sasl_mechanism=settings.sasl_mechanism,
        sasl_username=settings.sasl_username,
        sasl_password=settings.sasl_password.get_secret_value(),
        ca_file=settings.ca_file,
        session_timeout=settings.session_timeout,
        instance_id=settings.instance_id,
    )


def aiokafka_options(where: Cluster) -> dict[str, Any]:
    """Options of an aiokafka client."""
    options: dict[str, Any] = {"bootstrap_servers": where.bootstrap, "security_protocol": where.security_protocol}
    if where.secured:
        options |= {
            "ssl_context": ssl.create_default_context(cafile=None if where.ca_file is None else str(where.ca_file)),
            "sasl_mechanism": where.sasl_mechanism,
            "sasl_plain_username": where.sasl_username,
            "sasl_plain_password": where.sasl_password,
        }
    return options


def confluent_options(where: Cluster) -> dict[str, Any]:
    """Options of a confluent-kafka client."""
    options: dict[str, Any] = {"bootstrap.servers": where.bootstrap, "security.protocol": where.security_protocol}
    if where.secured:
        options |= {
            "sasl.mechanism": where.sasl_mechanism,
            "sasl.username": where.sasl_username,
            "sasl.password": where.sasl_password,
        }
        if where.ca_file is not None:
            options["ssl.ca.location"] = str(where.ca_file)
    return options
