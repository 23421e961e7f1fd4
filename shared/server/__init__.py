"""The server: the protocol of Label Studio, and nothing about models."""
