"""The embedded model server: champion, challenger, shadow, split and inference log in one process."""
