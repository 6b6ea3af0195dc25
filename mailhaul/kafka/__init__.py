"""Events on the wire: codec, bus, run loops, outbox, keyed consumer, dead letters, administration."""
