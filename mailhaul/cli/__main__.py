"""`python -m mailhaul.cli` is the `mailhaul` command."""

from mailhaul.cli.main import main

if __name__ == "__main__":
    main()
