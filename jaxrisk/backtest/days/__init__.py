"""Every day forecast from the days before it, and scored."""
