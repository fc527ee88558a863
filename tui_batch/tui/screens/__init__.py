"""Screens and dialogs that open over the places."""
