"""They mean one thing and now and then do another."""
