"""The report: one offline HTML page, and a Markdown summary, of one or several runs."""
