"""A day in the community, and many: plausible people through the real use cases."""
