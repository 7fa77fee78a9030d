"""E-bikes: docks, groups of spots, and the electricity they take."""
