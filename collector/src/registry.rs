//! Identities, tokens and roles: what the certificate's name is worth now.
