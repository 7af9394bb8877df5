"""A training set from the web: crawl, verify, look for duplicates and for copies of test images, write a manifest."""
