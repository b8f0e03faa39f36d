//! The request scripts.
