//! Enrolment: a token and a CSR become a certificate.
