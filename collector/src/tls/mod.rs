//! Transport security: authority, certificates, verifiers and the accept loop.
