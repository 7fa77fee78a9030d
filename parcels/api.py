"""Routes of residents and couriers: the table of contents."""

from parcels import parcel_api, preference_api

blueprints = [parcel_api.blueprint, preference_api.blueprint]
