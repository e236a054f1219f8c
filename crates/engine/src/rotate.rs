//! Rotate: data keys are wrapped anew with the first root key, while everything goes on.
