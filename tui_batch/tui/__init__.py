"""The terminal app: what a person sees and presses. The only part that knows Textual."""
