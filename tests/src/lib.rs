//! Integration tests against the running HTTP API.
