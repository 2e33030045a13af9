"""What a bundle holds, as a contract: whoever keeps it is written, read and checked with the bundle."""
