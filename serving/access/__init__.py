"""Who may ask, and how it is shown: the table of scopes, keys, visitors' tokens, sessions, and this machine itself."""
