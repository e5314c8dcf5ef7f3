"""Where everybody is beaten by somebody, no ranking says who is good."""
