"""Linear algebra that several families need."""
