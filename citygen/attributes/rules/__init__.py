"""One file a height rule; each registers itself in ``citygen.attributes.rule.HEIGHT_RULES``."""
