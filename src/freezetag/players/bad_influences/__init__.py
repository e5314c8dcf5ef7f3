"""They make selfishness look rewarding, or normal."""
