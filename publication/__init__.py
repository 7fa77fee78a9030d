"""公示: months closed and published, corrected, and proven to whoever paid."""
