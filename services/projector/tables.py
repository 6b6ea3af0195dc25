"""The tables that the projector writes; they are described where the panel can see them too."""

from mailhaul.readmodel import LIVE, read_change, read_generation

__all__ = ["LIVE", "read_change", "read_generation"]
