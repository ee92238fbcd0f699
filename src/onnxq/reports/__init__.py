"""Edge to readers: a Report as text for people or JSON for scripts."""
