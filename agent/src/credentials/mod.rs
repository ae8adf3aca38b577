//! The agent's key and certificate, and their files.
