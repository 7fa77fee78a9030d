"""What storing a parcel costs, and when people are told of it; all of it is pure."""
