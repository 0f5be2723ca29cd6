"""Sentiment of sentences about movies or products, in tweets or in news."""
