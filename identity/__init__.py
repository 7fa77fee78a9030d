"""Households, residents, staff: who may speak."""
