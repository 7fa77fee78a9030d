"""Cabinets, compartments and parcels."""
