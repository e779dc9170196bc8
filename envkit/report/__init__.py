"""A report to attach to an issue: Markdown to read, JSON inside for `envkit doctor --from`. Pure."""
