"""Where money becomes history: charges, payments, journal, settlement, reports."""
