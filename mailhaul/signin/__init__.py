"""Signing in: SASL mechanisms, the best one offered first, LOGIN last."""
