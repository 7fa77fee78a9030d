"""Celery: sweeps what is due."""
