"""The read model: what the projector writes and the panel alone reads; every table can be rebuilt from the topics."""

from mailhaul.readmodel.tables import LIVE, SUMS, ReadModel, model_tables, read_change, read_generation

__all__ = ["LIVE", "SUMS", "ReadModel", "model_tables", "read_change", "read_generation"]
