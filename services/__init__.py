"""One folder is one process is one consumer group; services never import each other."""
