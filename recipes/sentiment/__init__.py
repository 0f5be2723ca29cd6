"""Sentiment classification of sentences: movie and product reviews, tweets, news."""
