"""The crawl as a guest of other people's servers: what it may connect to, what it may ask for, and how fast."""
