"""What they earned changes what they do."""
