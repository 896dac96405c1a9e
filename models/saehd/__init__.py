"""SAEHD."""
