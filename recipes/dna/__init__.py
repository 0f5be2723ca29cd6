"""What a stretch of DNA is: where genes are spliced, or classes of your own."""
