"""From data to numbers: price laws, leverage and impact with standard errors, origins, and what the data cannot tell apart."""
