"""How a report card looks: JSON, terminal, Markdown, JUnit, HTML. Nothing is measured here."""
