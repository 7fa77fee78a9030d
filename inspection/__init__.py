"""The desk at the lockers: inspection, corrections by hand, audits and dispute files."""
