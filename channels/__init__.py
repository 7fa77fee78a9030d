"""Money that comes through providers: orders, notifications, refunds, bills, reconciliation."""
