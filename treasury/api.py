"""Routes of money out and back: the table of contents."""

from treasury import disbursement_api, fees_api, receipt_api

blueprints = [fees_api.blueprint, disbursement_api.blueprint, receipt_api.blueprint]
