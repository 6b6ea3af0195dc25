"""Mailhaul: the shared kernel and the command line; it imports no service."""
