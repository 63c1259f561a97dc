"""Killing every verb that writes, at any moment, and what must hold afterwards: ``python -m Testing.crash``."""
