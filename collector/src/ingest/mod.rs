//! Sessions with agents: envelopes in, acknowledgements out.

pub mod decode;
