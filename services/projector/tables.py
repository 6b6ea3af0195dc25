"""The tables that the projector writes; those that the panel reads are described where it can see them too."""

from mailhaul.kafka.projection import offsets_table
from mailhaul.readmodel import LIVE, read_change, read_generation

projector_offset = offsets_table("projector_offset")

__all__ = ["LIVE", "projector_offset", "read_change", "read_generation"]
