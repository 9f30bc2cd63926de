"""Raw columns of any dialect -> canonical attributes with units and provenance; entry: ``read.read_attributes``."""
