"""What has to be done regularly, and whether the store is well."""
