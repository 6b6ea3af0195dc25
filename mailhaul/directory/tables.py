"""The tables of the directory."""

from sqlalchemy import BigInteger, Column, Table, Text

from mailhaul.db import metadata

directory_domain = Table(
    "directory_domain",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("domain", Text, primary_key=True),  # in ASCII and lower case
    Column("granted_by", Text, nullable=False),
    Column("granted_at", BigInteger, nullable=False),
)
