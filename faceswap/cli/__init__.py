"""The command line: each file is one command, each command is one library call."""
