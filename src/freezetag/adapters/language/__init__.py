"""What an agent that is a language model is made of: its endpoint, its ledger, its memory."""
