"""Mailhaul: the shared kernel and the command line; it imports no service."""

__version__ = "0.1.0"
