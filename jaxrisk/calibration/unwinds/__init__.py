"""Impact, resilience and engine speed from recorded unwinds, and which of them the records tell apart."""
