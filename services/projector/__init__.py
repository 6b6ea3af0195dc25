"""The projector: every event becomes rows of the SQL read model that the panel shows.

Consumes: every topic. Emits: nothing. Owns: `read_*` (described in `mailhaul/readmodel`), with its own offsets in the
same transaction as the rows, so that it can be rebuilt from the topics at any time and each record counts once.
"""
