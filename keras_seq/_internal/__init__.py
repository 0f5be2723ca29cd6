"""Private modules shared by the packages of keras-seq."""
