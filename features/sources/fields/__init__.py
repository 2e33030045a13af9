"""What every value must satisfy before it becomes part of an event: names, times, amounts, channels, consent."""
