"""Devices and lanes, their credentials, and every event they ever sent."""
