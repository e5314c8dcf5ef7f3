"""One command under one gate: the processes it starts, and how all of them are ended."""
