"""One small file per device maker: its message in, its answer out."""
