"""Parts that places and screens are made of."""
