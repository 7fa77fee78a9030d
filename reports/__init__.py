"""What finance staff read and take away: balances, statements, ledgers, exports."""
