"""Parcels as residents and couriers see them, and what residents choose."""
