"""The record: what was answered and what turned out to be true, kept in the warehouse."""
