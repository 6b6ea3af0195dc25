"""What must be there before the services start: `database` makes keys and tables, `topics` makes the topics.

Each runs as a short process of its own, so that the supervisor never holds their libraries in memory.
"""

import asyncio
import sys
from datetime import timedelta

from mailhaul.db import embedded_url, open_database
from mailhaul.db.upgrade import upgrade
from mailhaul.errors import MailhaulError
from mailhaul.kafka.admin import TopicsAdmin
from mailhaul.kafka.connection import cluster
from mailhaul.settings import Settings
from mailhaul.vault_keys import make_vault_keys


async def prepare_database(settings: Settings) -> None:
    """The vault's keys and every table."""
    if settings.vault.key_file and settings.vault.public_key_file:
        make_vault_keys(settings.vault.key_file, settings.vault.public_key_file)
    database = open_database(settings.database.url or embedded_url(settings.state_dir))
    try:
        await upgrade(database)
    finally:
        await database.close()


def prepare_topics(settings: Settings) -> None:
    """Every topic; refuses a broker that would forget offsets or facts too early (joint 17)."""
    admin = TopicsAdmin(cluster(settings.kafka), replication=settings.kafka.replication)
    admin.create()
    admin.require_retention(longest_life=timedelta(days=settings.limits.purge_days_after_upload))


def main(what: str) -> int:
    settings = Settings()
    try:
        if what == "database":
            asyncio.run(prepare_database(settings))
        else:
            prepare_topics(settings)
    except MailhaulError as error:
        sys.stderr.write(f"{error.text}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
