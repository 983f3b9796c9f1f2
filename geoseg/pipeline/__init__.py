"""The few pages that wire rooms together, one a job."""
