"""Classification of DNA sequences: splice junctions, or classes of your own."""
