//! Enrolment: a token and a CSR become a certificate.

pub mod token;
