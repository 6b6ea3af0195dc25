"""Production refuses what is fine on one machine and reckless on several."""

from typing import Any

import pytest
from pydantic import ValidationError

from mailhaul.settings import DatabaseSettings, KafkaSettings, Settings

POSTGRES = DatabaseSettings(url="postgresql+psycopg://db.example.net/mailhaul")
SECURE = KafkaSettings(bootstrap="kafka.example.net:9093", security_protocol="SASL_SSL")


@pytest.mark.parametrize(
    ("changed", "variable"),
    [
        ({"kafka": KafkaSettings()}, "MAILHAUL_KAFKA__BOOTSTRAP"),
        ({"kafka": KafkaSettings(bootstrap="kafka.example.net:9092")}, "MAILHAUL_KAFKA__SECURITY_PROTOCOL"),
        ({"kafka": KafkaSettings(bootstrap="127.0.0.1:1,192.0.2.1:1")}, "MAILHAUL_KAFKA__SECURITY_PROTOCOL"),
        ({"database": DatabaseSettings()}, "MAILHAUL_DATABASE__URL"),
        ({"database": DatabaseSettings(url="sqlite:///x")}, "MAILHAUL_DATABASE__URL"),
        ({"environment": "prod"}, "MAILHAUL_ENVIRONMENT"),
    ],
)
def test_production_refuses(changed: dict[str, Any], variable: str) -> None:
    given: dict[str, Any] = {"environment": "production", "kafka": SECURE, "database": POSTGRES, **changed}
    with pytest.raises(ValidationError, match=variable):
        Settings(**given)


@pytest.mark.parametrize("kafka", [SECURE, KafkaSettings(bootstrap="127.0.0.1:9092,[::1]:9092,localhost:9092")])
def test_production_accepts(kafka: KafkaSettings) -> None:
    assert Settings(environment="production", kafka=kafka, database=POSTGRES).environment == "production"


def test_one_machine_needs_nothing() -> None:
    assert Settings().environment == "embedded"


def test_an_error_tells_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILHAUL_ENVIRONMENT", "production")
    monkeypatch.setenv("MAILHAUL_SMTP__PASSWORD", "canary-smtp-5Yt")
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "canary" not in str(refused.value)
