"""What the command line and the app both do: finding servers, the simulator as an endpoint, runs in the background."""
