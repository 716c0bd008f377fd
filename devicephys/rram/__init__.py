"""Resistive memory: distributions, cells and their bit error rate."""
