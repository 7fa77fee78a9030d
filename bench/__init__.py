"""What we claim about speed, each figure beside a ceiling measured in the same run."""
