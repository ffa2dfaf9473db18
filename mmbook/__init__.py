"""What the chapters import: data sets, encoders, training, statistics, claims and figures."""

__version__ = "0.1.0"
