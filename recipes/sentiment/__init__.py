"""Whether a sentence is for or against: films, tweets, products, news."""
