"""`python -m bench [name]`: one or, by default, all; exit code 1 when a target is missed."""

import argparse
import sys

from bench import book, gate, growth, journal, lockers, reporting, settling, verifying

BENCHES = ("gate", "book", "growth", "lockers", "settling", "verifying", "journal", "reporting")


def main() -> int:
    """Run what was asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("bench", nargs="?", choices=BENCHES, help="all of them if left out")
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="about how long a round of the product lasts"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each way, in turn")
    parser.add_argument(
        "--past", type=int, default=growth.PAST, help="past claims behind the search for a space"
    )
    parser.add_argument(
        "--charges", type=int, default=settling.CHARGES, help="settled in each round of a way"
    )
    parser.add_argument(
        "--postings", type=int, default=verifying.POSTINGS, help="proved, and behind `journal`"
    )
    asked = parser.parse_args()
    runs = {
        "gate": lambda: gate.run(asked.seconds, asked.rounds),
        "book": lambda: book.run(asked.seconds, asked.rounds),
        "growth": lambda: growth.run(asked.past),
        "lockers": lambda: lockers.run(asked.seconds, asked.rounds),
        "settling": lambda: settling.run(asked.charges, asked.rounds),
        "verifying": lambda: verifying.run(asked.postings),
        "journal": lambda: journal.run(asked.postings, 10 * asked.postings, asked.rounds),
        "reporting": lambda: reporting.run(asked.rounds),
    }
    return max([runs[name]() for name in ([asked.bench] if asked.bench else BENCHES)])


if __name__ == "__main__":
    sys.exit(main())
