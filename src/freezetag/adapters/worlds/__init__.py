"""Other people's worlds, one library a file: `gymnasium:FrozenLake-v1`."""
