"""Code that several resources of one foreign protocol share."""
