//! Sessions with agents: envelopes in, acknowledgements out.
