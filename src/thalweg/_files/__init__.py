"""Files that people have: text with columns of numbers, and files of arrays."""
