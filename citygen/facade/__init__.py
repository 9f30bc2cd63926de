"""Wall and roof appearance: colours."""
