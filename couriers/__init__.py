"""The courier side of parcel lockers: companies, couriers, rates, contracts and statements."""
