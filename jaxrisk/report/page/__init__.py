"""Results as one page that opens anywhere: findings in words, charts that can be asked, tables, and how it all came about."""
