"""One question to a broker, small enough to ask without a Kafka client: do you serve requests?"""

import socket
import struct

from mailhaul.stack.ports import LOOPBACK

METADATA = 3
VERSION = 1
NO_TOPICS = 0


def broker_answers(port: int, *, timeout: float = 2.0) -> bool:
    """Whether the broker on this port of loopback lists itself as alive.

    An open port is not enough: until the controller has let the broker in (it is then no longer *fenced*), requests are
    taken and not served. The list of live brokers in the answer to Metadata is empty until then.
    """
    # Kafka protocol guide: length, api_key, api_version, correlation_id, client_id; Metadata v1: array of topics.
    client = b"mailhaul"
    body = struct.pack(f">hhih{len(client)}si", METADATA, VERSION, 1, len(client), client, NO_TOPICS)
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            answer = connection.makefile("rb").read(12)
    except OSError:
        return False
    # length, correlation_id, number of live brokers
    return len(answer) == 12 and struct.unpack(">iii", answer)[2] > 0
