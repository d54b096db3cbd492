"""One operator per step of the loop, and the ones that hold a rollout together."""
