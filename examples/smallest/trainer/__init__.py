"""The smallest trainer: no library, one file, two hyperparameters."""
