"""Spaces, stays, tariffs and what a gate answers."""
