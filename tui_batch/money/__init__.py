"""What requests cost: tokens estimated before a call, and exact prices after it."""
