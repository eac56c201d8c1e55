"""The watcher: tells people what Airflow cannot tell about itself, and is watched in turn."""
