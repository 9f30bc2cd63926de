"""A made-up town on a hill, as files: the bundled sample, and the same kind of town at any size."""

from citygen.sample.large import write_large
from citygen.sample.write import SamplePaths, bundled_sample, write_sample

__all__ = ["SamplePaths", "bundled_sample", "write_large", "write_sample"]
