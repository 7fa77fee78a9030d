"""Routes of the lockers: the table of contents."""

from lockers import desk_api, offline_api, parcel_api, preference_api

blueprints = [
    *desk_api.blueprints,
    offline_api.blueprint,
    parcel_api.blueprint,
    preference_api.blueprint,
]
