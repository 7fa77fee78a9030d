"""Shared parking: what is offered, booked, waited for, and kept as promised."""
