"""Routes of money out and back: the table of contents."""

from treasury import fees_api

blueprints = [fees_api.blueprint]
