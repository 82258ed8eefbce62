"""`python -m faceswap`: the same as the `faceswap` command."""

from faceswap.cli.main import main

if __name__ == "__main__":
    main()
