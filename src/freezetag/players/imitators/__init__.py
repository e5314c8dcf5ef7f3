"""They do as others do, whatever it brings."""
