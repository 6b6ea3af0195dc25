"""Every setting, in sections: `MAILHAUL_<SECTION>__<NAME>`; read in `__main__` modules alone.

The page docs/configuration.md is made from these descriptions.
"""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def default_state_dir() -> Path:
    return Path.home() / ".local" / "state" / "mailhaul"


class KafkaSettings(BaseModel):
    bootstrap: str = Field("", description="HOST:PORT[,HOST:PORT] of the cluster; empty: the embedded broker")
    prefix: str = Field(
        "", description="Put before every topic and group name, so that installations can share a cluster"
    )
    security_protocol: str = Field("PLAINTEXT", description="PLAINTEXT (loopback only) or SASL_SSL")
    sasl_mechanism: str = Field("SCRAM-SHA-512", description="SASL mechanism with SASL_SSL")
    sasl_username: str = Field("", description="SASL user")
    sasl_password: SecretStr = Field(SecretStr(""), description="SASL password")
    ca_file: Path | None = Field(None, description="CA certificates of the brokers")
    replication: int = Field(1, description="Replicas of a topic that Mailhaul creates; 3 in production")
    session_timeout: float = Field(10.0, description="Seconds after which a silent consumer loses its partitions")
    instance_id: str = Field(
        "",
        description="Static membership: this replica's own id. Only where the platform guarantees one process an id "
        "(a StatefulSet): two with one id take the partitions from each other for ever",
    )


class DatabaseSettings(BaseModel):
    url: str = Field("", description="SQLAlchemy URL, postgresql+psycopg://...; empty: SQLite in the state directory")


class VaultSettings(BaseModel):
    key_file: Path | None = Field(None, description="The vault's private key: validator and copier only")
    public_key_file: Path | None = Field(None, description="The vault's public key: the panel")


class PlatformDNS(BaseModel):
    mx: list[str] = Field(["10 mx.example.net."], description="MX records that the cut-over mail names")
    spf: str = Field("v=spf1 include:spf.example.net -all", description="SPF record that the cut-over mail names")
    dkim: list[str] = Field([], description="DKIM records, `selector._domainkey CNAME target`")
    webmail: str = Field("https://webmail.example.net/", description="Where the owners find their mail after the move")


class PlatformSettings(BaseModel):
    """The destination: the hosting provider's own mail platform."""

    host: str = Field("127.0.0.1", description="IMAP host of the destination platform")
    port: int = Field(993, description="Its port")
    tls: str = Field("implicit", description="implicit | starttls | none (loopback only)")
    ca_file: Path | None = Field(None, description="CA certificates of the destination, when not the system's")
    master_user: str = Field("", description="Master user that may open every mailbox")
    master_password: SecretStr = Field(SecretStr(""), description="Its password")
    master_style: str = Field("authzid", description="authzid (SASL PLAIN) or separator (user*master)")
    master_separator: str = Field("*", description="Separator for master_style=separator")
    connections_per_mailbox: int = Field(4, description="Most connections to the destination for one mailbox")
    dns: PlatformDNS = PlatformDNS()


class SourceSettings(BaseModel):
    """How sources may be reached."""

    allow_networks: list[str] = Field([], description="CIDRs that the dial policy allows beside public addresses")
    ports: list[int] = Field([143, 993, 110, 995], description="Ports that a source may be reached on")
    ca_file: Path | None = Field(None, description="CA certificates beside the system's, for private sources")
    connect_timeout: float = Field(15.0, description="Seconds for resolving, connecting and TLS")
    progress_timeout: float = Field(60.0, description="Seconds without one byte after which a session counts as dead")
    connections_per_server: int = Field(20, description="Most connections to one source server, all workers together")


class SMTPSettings(BaseModel):
    host: str = Field("127.0.0.1", description="Relay for Mailhaul's own mails")
    port: int = Field(25, description="Its port")
    tls: str = Field("none", description="none | starttls | implicit")
    username: str = Field("", description="SMTP user")
    password: SecretStr = Field(SecretStr(""), description="SMTP password")
    ca_file: Path | None = Field(None, description="CA certificates of the relay, when not the system's")
    sender: str = Field("Mailhaul <mailhaul@localhost>", description="From of every mail")


class PanelSettings(BaseModel):
    host: str = Field("127.0.0.1", description="Address that the panel binds to; another than loopback needs TLS")
    port: int = Field(8025, description="Its port; 0: any free one")
    url: str = Field("", description="Public address, as mails and the command line name it; empty: from host and port")
    token_file: Path | None = Field(None, description="Where the first start leaves the local user's API token (0600)")
    allowed_hosts: list[str] = Field([], description="Host headers accepted beside loopback names")
    tls_cert: Path | None = Field(None, description="Certificate; needed beyond loopback")
    tls_key: Path | None = Field(None, description="Its key")


class Limits(BaseModel):
    rows_per_file: int = Field(500, description="Rows in a file")
    open_migrations: int = Field(5, description="Migrations scheduled or running at once, per customer")
    message_octets: int = Field(52_428_800, description="Largest message that is copied")
    second_run_hours: int = Field(23, description="Most hours between the two planned starts")
    schedule_days: int = Field(30, description="Most days until the first run")
    purge_days: int = Field(30, description="Days after the last run until a migration and its secrets are deleted")
    purge_days_after_upload: int = Field(75, description="The same, counted from the upload at the latest")


class ValidatorSettings(BaseModel):
    checks_per_server: int = Field(4, description="Checks at once per source server")
    checks_at_once: int = Field(16, description="Checks at once in one process")
    refused_in_a_row: int = Field(5, description="Refused sign-ins in a row after which a server's rows are not tested")


class SchedulerSettings(BaseModel):
    tick: float = Field(0.5, description="Seconds between two looks at the timers")
    mailboxes_per_customer: int = Field(64, description="Mailboxes of one customer in flight at once")
    mailboxes_per_server: int = Field(16, description="Mailboxes of one source server in flight at once")
    check_timeout: float = Field(900.0, description="Seconds after which an unanswered check counts as not tested")
    waiting_hours: float = Field(12.0, description="Hours after which a parked mailbox no longer holds a run open")
    failures: int = Field(8, description="Failures in a row after which a mailbox run has failed")
    retry_base: float = Field(30.0, description="Seconds before the first retry; doubled each time")
    retry_cap: float = Field(3600.0, description="Most seconds between two retries")
    after_mx_hours: float = Field(4.0, description="Hours after the MX mail to which an overtaken second run moves")


class CopierSettings(BaseModel):
    mailboxes_at_once: int = Field(8, description="Mailboxes copied at once by one process")
    lease_seconds: float = Field(15.0, description="Life of a mailbox lease without renewal")
    slice_seconds: float = Field(600.0, description="Seconds after which a mailbox yields its slot")
    settle_after: float = Field(600.0, description="Seconds after the last ambiguity before a folder is settled")
    batch_messages: int = Field(100, description="Most messages in a batch")
    batch_octets: int = Field(16_777_216, description="Most octets in a batch")
    progress_seconds: float = Field(2.0, description="Least seconds between two progress records of a folder")
    surplus: str = Field("auto", description="auto | repair | report: what becomes of late copies of our own")


class NotifierSettings(BaseModel):
    claim_seconds: float = Field(30.0, description="Seconds after which a mail that a dead process was sending is sent")
    look_seconds: float = Field(1.0, description="Seconds between two looks for mails that are due")


class MeterSettings(BaseModel):
    window_seconds: int = Field(60, description="Length of a throughput window")


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="MAILHAUL_", env_nested_delimiter="__", secrets_dir=None, extra="ignore", hide_input_in_errors=True
    )

    state_dir: Path = Field(default_factory=default_state_dir, description="Keys, tokens, embedded database and broker")
    environment: str = Field("embedded", description="embedded | production; production refuses unsafe settings")
    log_format: str = Field("auto", description="auto | json | console")
    log_level: str = Field("INFO", description="DEBUG | INFO | WARNING | ERROR")
    language: str = Field("en", description="en | it: language where nobody chose one")
    kafka: KafkaSettings = KafkaSettings()
    database: DatabaseSettings = DatabaseSettings()
    vault: VaultSettings = VaultSettings()
    platform: PlatformSettings = PlatformSettings()
    source: SourceSettings = SourceSettings()
    smtp: SMTPSettings = SMTPSettings()
    panel: PanelSettings = PanelSettings()
    limits: Limits = Limits()
    validator: ValidatorSettings = ValidatorSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    copier: CopierSettings = CopierSettings()
    notifier: NotifierSettings = NotifierSettings()
    meter: MeterSettings = MeterSettings()

    @model_validator(mode="after")
    def _fit_for_production(self) -> Self:
        """Refuse what is fine on one machine and reckless on several, and name the variable."""
        if self.environment not in ("embedded", "production"):
            raise ValueError("MAILHAUL_ENVIRONMENT is embedded or production")
        if self.environment == "embedded":
            return self
        if not self.kafka.bootstrap:
            raise ValueError("production needs a Kafka cluster: set MAILHAUL_KAFKA__BOOTSTRAP")
        if self.kafka.security_protocol != "SASL_SSL" and not _on_loopback(self.kafka.bootstrap):
            raise ValueError("plaintext to a broker beyond loopback: set MAILHAUL_KAFKA__SECURITY_PROTOCOL=SASL_SSL")
        if not self.database.url.startswith("postgresql"):
            raise ValueError("production needs PostgreSQL: set MAILHAUL_DATABASE__URL=postgresql+psycopg://...")
        return self


def _on_loopback(bootstrap: str) -> bool:
    hosts = [address.strip().rpartition(":")[0].strip("[]") for address in bootstrap.split(",")]
    return all(host in ("localhost", "::1") or host.startswith("127.") for host in hosts)
