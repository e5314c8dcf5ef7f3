"""What planning leaves behind, and what becomes of it under a panel, exactly."""
