"""The crawl as icrawler has it: a feeder of pages, a parser that reads them, a downloader of what they name."""
