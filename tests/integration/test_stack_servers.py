"""The servers of the embedded stack are real, reachable, and do what tests ask of them."""

import imaplib
import os
import smtplib
import ssl
import time
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from mailhaul.stack.broker import Broker
from mailhaul.stack.dovecot import Dovecot, DovecotSettings, Storage
from mailhaul.stack.kafka_home import find_kafka
from mailhaul.stack.smtp import Mode, SMTPSink
from tests.fixtures_stack import MASTER_PASSWORD, MASTER_USER


def secure(server: Dovecot) -> imaplib.IMAP4_SSL:
    context = ssl.create_default_context(cafile=server.ca_file)
    return imaplib.IMAP4_SSL("localhost", server.imaps_port, ssl_context=context)


def test_joint_18_an_acknowledged_record_survives_a_kill_of_the_broker(
    broker_process: Broker, topic_prefix: str
) -> None:
    topic = f"{topic_prefix}kept"
    address: dict[str, str | int | float | bool] = {"bootstrap.servers": broker_process.bootstrap}
    admin = AdminClient(address)
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)
    producer = Producer({**address, "acks": "all"})
    producer.produce(topic, b"before")
    assert producer.flush(10) == 0

    began = time.monotonic()
    broker_process.kill()
    broker_process.start()
    producer.produce(topic, b"after")
    assert producer.flush(15) == 0
    assert time.monotonic() - began < 15

    consumer = Consumer({**address, "group.id": f"{topic_prefix}g", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    read = [record.value() for record in consumer.consume(2, timeout=15)]
    consumer.close()
    assert read == [b"before", b"after"]


def test_joint_18_a_new_broker_takes_a_record_within_ten_seconds(tmp_path: Path) -> None:
    began = time.monotonic()
    cold = Broker(tmp_path / "cold", find_kafka(os.environ))
    try:
        address: dict[str, str | int | float | bool] = {"bootstrap.servers": cold.start()}
        admin = AdminClient(address)
        admin.create_topics([NewTopic("first", 1, 1)])["first"].result(10)
        producer = Producer({**address, "acks": "all"})
        producer.produce("first", b"record")
        assert producer.flush(10) == 0
        assert time.monotonic() - began < 10
    finally:
        cold.kill()


def test_joint_18_a_broker_stopped_in_order_starts_again_with_its_address(broker_process: Broker) -> None:
    before = broker_process.bootstrap
    broker_process.stop()
    assert not broker_process.alive
    assert broker_process.start() == before


@pytest.mark.parametrize("storage", list(Storage))
def test_dovecot_serves_both_storages_and_a_master_user(make_dovecot: Callable[..., Dovecot], storage: Storage) -> None:
    settings = DovecotSettings(storage=storage, quota=True, master_users={MASTER_USER: MASTER_PASSWORD})
    server = make_dovecot("both", settings)
    server.add_users({"anna@example.com": "pa:ss", "bert@example.com": "other"}, quota="40K")
    client = secure(server)
    client.login("anna@example.com", "pa:ss")
    assert client.append("INBOX", "", "", b"Subject: a\r\n\r\nb\r\n")[0] == "OK"
    refusal, (text,) = client.append("INBOX", "", "", b"x" * 80_000)
    assert refusal == "NO"
    assert isinstance(text, bytes)
    assert text.startswith(b"[OVERQUOTA]")
    client.logout()

    master = secure(server)
    identity = f"anna@example.com\0{MASTER_USER}\0{MASTER_PASSWORD}".encode()
    master.authenticate("PLAIN", lambda _: identity)
    assert master.select("INBOX") == ("OK", [b"1"])
    master.logout()

    missing = secure(server)
    with pytest.raises(imaplib.IMAP4.error):
        missing.login(f"nobody@example.com*{MASTER_USER}", MASTER_PASSWORD)
    missing.shutdown()


def test_dovecot_changes_a_password_and_locks_a_user(source_dovecot: Dovecot) -> None:
    source_dovecot.add_user("anna@example.com", "old")
    source_dovecot.set_password("anna@example.com", "new")
    for password, locked, answer in (("old", False, "AUTHENTICATIONFAILED"), ("new", True, "CONTACTADMIN")):
        source_dovecot.lock("anna@example.com", locked=locked)
        client = secure(source_dovecot)
        with pytest.raises(imaplib.IMAP4.error, match=answer):
            client.login("anna@example.com", password)
        client.shutdown()
    source_dovecot.lock("anna@example.com", locked=False)
    client = secure(source_dovecot)
    assert client.login("anna@example.com", "new")[0] == "OK"
    client.logout()


def test_dovecot_asks_for_tls_before_a_password(make_dovecot: Callable[..., Dovecot]) -> None:
    server = make_dovecot("strict", DovecotSettings(address="127.0.0.2"))
    server.add_user("anna@example.com", "secret")
    client = imaplib.IMAP4(server.address, server.imap_port)
    assert "LOGINDISABLED" in client.capabilities
    client.starttls(ssl.create_default_context(cafile=server.ca_file))
    assert client.login("anna@example.com", "secret")[0] == "OK"
    client.logout()


def test_dovecot_comes_back_from_a_stall_and_a_kill_with_its_mail(source_dovecot: Dovecot) -> None:
    source_dovecot.add_user("anna@example.com", "secret")
    client = secure(source_dovecot)
    client.login("anna@example.com", "secret")
    client.append("INBOX", "", "", b"Subject: kept\r\n\r\n")
    source_dovecot.stall()
    source_dovecot.resume()
    assert client.noop()[0] == "OK"
    assert source_dovecot.drop_sessions() == 1
    client.shutdown()
    source_dovecot.kill()
    source_dovecot.start()
    client = secure(source_dovecot)
    client.login("anna@example.com", "secret")
    assert client.select("INBOX") == ("OK", [b"1"])
    client.logout()


def send(sink: SMTPSink) -> None:
    mail = EmailMessage()
    mail["Subject"] = "Change your MX"
    mail.set_content("now\n")
    with smtplib.SMTP(sink.host, sink.port, timeout=10) as client:
        client.send_message(mail, "mailhaul@example.net", ["owner@example.com"])


def test_smtp_sink_keeps_refuses_and_drops(smtp_sink: SMTPSink) -> None:
    send(smtp_sink)
    (kept,) = smtp_sink.mails()
    assert (kept.sender, kept.recipients) == ("mailhaul@example.net", ("owner@example.com",))
    assert kept.content.startswith(b"Subject: Change your MX\r\n")
    outcomes: dict[Mode, int] = {}
    for mode in (Mode.REFUSE, Mode.REJECT, Mode.DROP, Mode.DROP_ACCEPTED):
        smtp_sink.clear()
        smtp_sink.behave(mode)
        with pytest.raises(smtplib.SMTPException):
            send(smtp_sink)
        outcomes[mode] = len(smtp_sink.mails())
    assert outcomes == {Mode.REFUSE: 0, Mode.REJECT: 0, Mode.DROP: 0, Mode.DROP_ACCEPTED: 1}


def test_postgres_database_is_empty_and_ours(postgres_url: str) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert row == (0,)
