//! API tokens, and name and password with each call.
