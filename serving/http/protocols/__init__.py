"""What several resources of the same foreign protocol share."""
