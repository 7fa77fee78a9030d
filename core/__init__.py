"""Plumbing without a word of the domain."""
