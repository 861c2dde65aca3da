"""Price laws fitted to hourly returns, one file a law; and how volatile the next day will be."""
