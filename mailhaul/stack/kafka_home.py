"""Where Kafka's jars are and which command line starts them."""

import hashlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mailhaul.errors import StackFailed

CONFIGURATION = Path(__file__).resolve().parents[2] / "infra" / "kafka"
# Measured: 256 MB serves 400 partitions without trouble; one collector and one compiler thread keep it small.
HEAP = ("-Xms256m", "-Xmx256m")
LEAN = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",  # else the JVM leaves a file in the shared temporary directory
    "-Djava.awt.headless=true",
    "-Djava.net.preferIPv4Stack=true",
)
SCRIPTS = ("kafka-server-start", "kafka-server-start.sh")
ARCHIVE = "classes.jsa"


@dataclass(frozen=True, kw_only=True)
class Kafka:
    """A Kafka to run: its jars with our own java line, or, where only the scripts are known, the scripts."""

    jars: Path | None = None
    start_script: str = ""
    storage_script: str = ""
    java: str = "java"
    archive: Path | None = None  # class-data archive to start from
    new_archive: Path | None = None  # class-data archive to write at the stop
    environment: Mapping[str, str] = field(default_factory=dict)

    def serve(self, settings: Path) -> list[str]:
        if self.jars is None:
            return [self.start_script, str(settings)]
        write = [f"-XX:ArchiveClassesAtExit={self.new_archive}"] if self.new_archive else []
        return [*self._java(), *write, "kafka.Kafka", str(settings)]

    def format(self, settings: Path, cluster_id: str) -> list[str]:
        options = ["format", "--ignore-formatted", "-t", cluster_id, "-c", str(settings)]
        if self.jars is None:
            return [self.storage_script, *options]
        return [*self._java(), "kafka.tools.StorageTool", *options]

    def _java(self) -> list[str]:
        logging = f"-Dlog4j2.configurationFile=file:{CONFIGURATION / 'log4j2.properties'}"
        # An archive of another JVM or class path is ignored by java without an error.
        share = [f"-XX:SharedArchiveFile={self.archive}"] if self.archive and self.archive.exists() else []
        return [self.java, *HEAP, *LEAN, *share, logging, "-cp", f"{self.jars}/*"]


def find_kafka(environment: Mapping[str, str]) -> Kafka:
    """The Kafka named by KAFKA_HOME, else one on the PATH, else the jars that `make setup` put into the cache."""
    java = _java(environment)
    if home := environment.get("KAFKA_HOME", ""):
        jars = Path(home) / "libs"
        if not jars.is_dir():
            raise StackFailed("kafka_missing", f"KAFKA_HOME is {home}, but there is no folder libs in it")
        return Kafka(jars=jars, java=java)
    for script in SCRIPTS:
        if found := shutil.which(script, path=environment.get("PATH")):
            return _from_script(Path(found), java)
    jars = cache_directory(environment)
    if not (jars / "lib").is_dir():
        raise StackFailed("kafka_missing", "the broker's jars are not there yet; run `make setup`")
    return Kafka(jars=jars / "lib", java=java, archive=jars / ARCHIVE)


def cache_directory(environment: Mapping[str, str]) -> Path:
    """Where the jars of this pom are cached: named by Kafka's version and the pom's digest, as infra/setup/kafka.sh."""
    pom = (CONFIGURATION / "pom.xml").read_bytes()
    version = re.search(rb"<kafka\.version>([^<]+)<", pom)
    if version is None:
        raise StackFailed("kafka_missing", "infra/kafka/pom.xml names no kafka.version")
    cache = environment.get("XDG_CACHE_HOME") or str(Path(environment.get("HOME", "~")).expanduser() / ".cache")
    return Path(cache) / "mailhaul" / f"kafka-{version[1].decode()}-{hashlib.sha256(pom).hexdigest()[:8]}"


def _from_script(script: Path, java: str) -> Kafka:
    jars = script.resolve().parent.parent / "libs"
    if jars.is_dir():
        return Kafka(jars=jars, java=java)
    storage = script.with_name(script.name.replace("server-start", "storage"))
    if not storage.exists():
        raise StackFailed("kafka_missing", f"{script} has no {storage.name} beside it; set KAFKA_HOME")
    heap = {"KAFKA_HEAP_OPTS": " ".join(HEAP), "LOG_DIR": "/tmp"}
    return Kafka(start_script=str(script), storage_script=str(storage), environment=heap)


def _java(environment: Mapping[str, str]) -> str:
    if home := environment.get("JAVA_HOME", ""):
        return str(Path(home) / "bin" / "java")
    found = shutil.which("java", path=environment.get("PATH"))
    if found is None:
        raise StackFailed("java_missing", "the broker needs Java 17 or later; run `make setup`")
    return found
