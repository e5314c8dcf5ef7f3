"""The people's side of an authority: what the commands and a dashboard ask of a server."""
