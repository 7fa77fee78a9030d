"""`python -m bench [gate] [--seconds N] [--rounds N]`; exit code 1 when a target is missed."""

import argparse
import sys

from bench import gate


def main() -> int:
    """Run the bench that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("bench", nargs="?", choices=["gate"], default="gate")
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="about how long a round of the gate lasts"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each way, in turn")
    asked = parser.parse_args()
    return gate.run(asked.seconds, asked.rounds)


if __name__ == "__main__":
    sys.exit(main())
