"""Routes that cabinets themselves call: the table of contents."""

from lockers import offline_api

blueprints = [offline_api.blueprint]
