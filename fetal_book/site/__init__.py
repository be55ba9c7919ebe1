"""From chapter runs to the site: what is out of date, generated pages, the build and its checks."""
