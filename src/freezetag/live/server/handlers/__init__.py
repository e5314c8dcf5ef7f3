"""What each route does, by who asks: pressers, people, gates, readers of the ledger, browsers."""
