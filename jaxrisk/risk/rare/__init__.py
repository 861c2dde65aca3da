"""The most likely paths to a loss, and probabilities of losses that plain simulation does not reach."""
