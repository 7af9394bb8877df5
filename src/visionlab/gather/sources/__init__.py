"""Where addresses of images come from: search engines, lists and folders."""
