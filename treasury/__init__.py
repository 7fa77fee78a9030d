"""Money out and back: refunds, expenses, payouts, contributions, write-offs."""
