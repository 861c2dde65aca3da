"""From a snapshot of accounts to a population's leverage, corrected for how the accounts were chosen."""
