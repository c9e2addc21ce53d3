"""The words: parameters, problems, events, theories, views, recommendations. What everything else speaks in."""
