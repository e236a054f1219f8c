//! The Membrane-style door: a product's tokens, what its customers connect with them, and what they read and change.
