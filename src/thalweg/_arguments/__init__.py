"""What users pass, as arrays of a named shape or as one sentence that says what is wrong."""
