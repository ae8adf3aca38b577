//! Enrolment: a token and a CSR become a certificate.
//!
//! Knows nothing of what the machine has; which device it is, is the pipeline's to say.

pub mod service;
