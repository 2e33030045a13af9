"""The known formats, one adapter each: how its records become events."""
