"""The one catalogue of tables; each table is described by its owner's `tables.py` and named after that owner."""

from sqlalchemy import MetaData

# Names that do not depend on the database, so that a revision can name what it changes.
metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "ix": "%(table_name)s_%(column_0_N_name)s_ix",
        "uq": "%(table_name)s_%(column_0_N_name)s_uq",
        "ck": "%(table_name)s_%(constraint_name)s_ck",
        "fk": "%(table_name)s_%(column_0_N_name)s_fk",
    }
)
