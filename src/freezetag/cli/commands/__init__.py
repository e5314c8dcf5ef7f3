"""One command a file: the file's name is the command, its first line the help."""
